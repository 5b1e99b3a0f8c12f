namespace Farm.Training.Data;

/// <summary>What an objective trains on as one item: its token sequences and what is wanted of them.</summary>
/// <param name="Sequences">Token ids: one for SFT and ratings, two for a pair, two of each pair for rankings.</param>
/// <param name="FirstLabel">SFT and DPO: index of the first token that is a target, the prompt's length.</param>
/// <param name="Target">Ratings: the target in [0, 1]. Pairs: 0 or 1, the preferred sequence.</param>
/// <param name="Reference">DPO: summed log-probabilities of the sequences under the reference; null where they are not known yet.</param>
public sealed record TrainingExample(IReadOnlyList<int[]> Sequences, int FirstLabel = 0, double Target = 0, IReadOnlyList<float>? Reference = null)
{
    /// <summary>Rows it takes in a batch.</summary>
    public int Rows => Sequences.Sum(s => s.Length);
}

/// <summary>Examples and what was left out while they were made.</summary>
/// <param name="Examples">The examples, in the order of the rows.</param>
/// <param name="Skipped">Rows whose prompt fills the whole context, so that nothing is left to learn; or, for rankings, prompts of too many pairs.</param>
/// <param name="Truncated">Sequences that lost their end.</param>
public sealed record ExampleSet(IReadOnlyList<TrainingExample> Examples, int Skipped, int Truncated)
{
    /// <summary>Takes examples out for evaluation, by AlpacaFarm's seeded permutation.</summary>
    /// <param name="evalSize">How many.</param>
    /// <param name="seed">Seed of the permutation.</param>
    /// <exception cref="Core.BadInputException">Nothing would be left to train on.</exception>
    public (ExampleSet Train, ExampleSet Eval) HoldOut(int evalSize, ulong seed)
    {
        var (train, eval) = Permutations.Split(Examples.Count, evalSize, seed);
        return (this with { Examples = [.. train.Select(i => Examples[i])] }, new ExampleSet([.. eval.Select(i => Examples[i])], 0, 0));
    }
}
