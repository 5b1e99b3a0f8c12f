namespace Farm.Pocket.Judging;

/// <summary>
/// Thirteen simulated judges, one for each annotator of AlpacaFarm's pool. A row is always judged by the same one, which the seed and the
/// row choose evenly.
/// </summary>
public sealed class JudgePool : IPairwiseJudge
{
    // Most like length and lists a little, some a lot; two like short answers; position goes both ways but mostly to the first.
    private static readonly JudgeBias[] s_biases =
    [
        new(0.10, 0.00, 0.00), new(0.30, 0.05, 0.02), new(0.00, 0.00, 0.05), new(0.05, 0.05, 0.00), new(-0.20, 0.10, 0.08), new(0.15, 0.00, -0.03), new(0.20, 0.10, 0.05),
        new(0.10, 0.05, 0.10), new(0.25, 0.00, -0.05), new(-0.10, 0.00, 0.04), new(0.20, 0.15, 0.00), new(0.05, 0.00, 0.12), new(0.40, 0.10, 0.03),
    ];

    private readonly ulong _seed;

    /// <summary>Makes the pool.</summary>
    /// <param name="seed">Seed of the assignment, the flips and the ties.</param>
    /// <param name="flipProbability">Share of rows whose label is turned round, from 0 to 0.5; AlpacaFarm's training preferences have 0.25.</param>
    public JudgePool(ulong seed = 0, double flipProbability = 0.25)
    {
        _seed = seed;
        Judges = [.. s_biases.Select((bias, i) => new SimulatedJudge($"judge_{i + 1}", bias, flipProbability, seed))];
    }

    /// <summary>The judges.</summary>
    public IReadOnlyList<SimulatedJudge> Judges { get; }

    /// <inheritdoc/>
    public string Name => "simulated_pool";

    /// <summary>The judge of a row.</summary>
    public SimulatedJudge For(PocketRow row)
    {
        ArgumentNullException.ThrowIfNull(row);
        return new Draws(_seed, $"judge\n{row.Key}").Pick(Judges);
    }

    /// <inheritdoc/>
    public int Prefer(PocketRow row, string output1, string output2) => For(row).Prefer(row, output1, output2);
}
