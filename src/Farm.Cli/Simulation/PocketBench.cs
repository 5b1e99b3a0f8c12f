using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Core;
using Farm.Inference;
using Farm.Models.Prompts;
using Farm.Pocket;
using Farm.Pocket.Judging;

namespace Farm.Cli.Simulation;

/// <summary>Samples models on rows of the pocket world and grades what they say, by reward models, by the gold judge and by simulated judges.</summary>
internal sealed class PocketBench(DeviceChoice device, int threads, int responseLength)
{
    // A judge sees a pair in one order here, as annotators did; these judges turn no labels round.
    private readonly JudgePool _judges = new(seed: 0, flipProbability: 0);

    /// <summary>Texts of n samples of each row.</summary>
    public string[][] Sample(string folder, IReadOnlyList<PocketRow> rows, int n, ulong seed, CancellationToken cancellation, string controlToken = "")
    {
        var model = ModelFolder.OpenDecoder(folder);
        var tokenizer = model.RequireTokenizer();
        using var backend = Backends.Create(device, threads);
        using var decoder = model.LoadDecoder(backend, DType.F32);
        using var generator = new Generator(decoder, tokenizer, new GenerationOptions { NumReturnSequences = n, MaxNewTokens = responseLength, Seed = seed });
        var texts = new string[rows.Count][];
        generator.Generate(
            [.. rows.Select((r, i) => new Prompt(i, tokenizer.Encode(controlToken + Text(r))))],
            done => texts[done.Prompt.Index] = [.. done.Samples.Select(s => s.Text!)], cancellation: cancellation);
        return texts;
    }

    /// <summary>Rewards of the samples of each row.</summary>
    public float[][] Reward(string folder, IReadOnlyList<PocketRow> rows, string[][] samples, CancellationToken cancellation)
    {
        var model = ModelFolder.OpenScorer(folder);
        using var backend = Backends.Create(device, threads);
        using var reward = model.LoadScorer(backend, DType.F32);
        using var scorer = new Scorer(reward, model.RequireTokenizer());
        var rewards = new List<float[]>(rows.Count);
        foreach (var part in rows.Zip(samples).Select((p, i) => (p.First, p.Second, i)).Chunk(8))
        {
            rewards.AddRange(scorer.Score([.. part.Select(p => scorer.TextGroup(p.i, Text(p.First), p.Second))], cancellation));
        }

        return [.. rewards];
    }

    /// <summary>Gold scores of the samples of each row.</summary>
    public double[][] Gold(IReadOnlyList<PocketRow> rows, string[][] samples)
    {
        var scores = new double[rows.Count][];
        Parallel.For(0, rows.Count, new ParallelOptions { MaxDegreeOfParallelism = threads }, i =>
        {
            // Samples repeat themselves; each text is graded once.
            var known = new Dictionary<string, double>(StringComparer.Ordinal);
            scores[i] = [.. samples[i].Select(s => known.TryGetValue(s, out double score) ? score : known[s] = GoldJudge.Score(rows[i], s).Total)];
        });
        return scores;
    }

    /// <summary>Share of pairs in which the simulated judges prefer the first sample to the second: for each row its mean.</summary>
    public double[] Wins(IReadOnlyList<PocketRow> rows, string[][] samples, string[][] others) => [.. rows.Select((row, i) =>
        samples[i].Select((s, k) => Win(row, s, others[i][k % others[i].Length], k)).Average())];

    /// <summary>The same by the gold score, a tie counting half.</summary>
    public static double[] Wins(double[][] gold, double[][] others) => [.. gold.Select((g, i) => g.Select((score, k) =>
    {
        double other = others[i][k % others[i].Length];
        return score > other ? 1 : score < other ? 0 : 0.5;
    }).Average())];

    // Which of the two is shown first alternates, so that judges' liking for a place cancels.
    private double Win(PocketRow row, string sample, string other, int k) =>
        sample == other ? 0.5 : k % 2 == 0 ? (_judges.Prefer(row, sample, other) == 1 ? 1 : 0) : _judges.Prefer(row, other, sample) == 2 ? 1 : 0;

    private static string Text(PocketRow row) => PromptDictionary.Default.Format(row.Instruction, row.Input);
}
