namespace Farm.Cli.Simulation;

/// <summary>
/// What the best of n samples is worth, from N ≥ n samples of each instruction: the mean over all subsets of n, not over some of them (Nakano et al., "WebGPT", 2021, appendix I).
/// </summary>
internal static class BestOfNEstimate
{
    /// <summary>n = 1, 2, 4, ... up to the number of samples of each row.</summary>
    /// <param name="rewards">Rewards of the samples of each row, which choose; all rows have equally many.</param>
    /// <param name="gold">Gold scores of the same samples.</param>
    public static IReadOnlyList<CurvePoint> Curve(float[][] rewards, double[][] gold)
    {
        int[][] orders = [.. rewards.Select(row => Enumerable.Range(0, row.Length).OrderByDescending(i => row[i]).ToArray())];
        var points = new List<CurvePoint>();
        for (int n = 1; n <= rewards[0].Length; n *= 2)
        {
            double[] weights = Weights(rewards[0].Length, n);
            double proxy = rewards.Select((row, r) => orders[r].Zip(weights, (i, w) => w * row[i]).Sum()).Average();
            double[] means = [.. gold.Select((row, r) => orders[r].Zip(weights, (i, w) => w * row[i]).Sum())];
            var (mean, error) = SimulatedMethod.Mean(means);
            // Stiennon et al., "Learning to summarize from human feedback", 2020: log n - (n - 1) / n.
            points.Add(new CurvePoint(n, Math.Log(n) - ((n - 1.0) / n), proxy, mean, error));
        }

        return points;
    }

    /// <summary>The share of the subsets of n of N whose best is the sample of rank k, for k from 0: (N-1-k choose n-1) / (N choose n).</summary>
    public static double[] Weights(int samples, int n)
    {
        double[] weights = new double[samples];
        double weight = n / (double)samples;
        for (int k = 0; k <= samples - n; k++)
        {
            weights[k] = weight;
            weight *= (samples - k - n) / (double)(samples - 1 - k);
        }

        return weights;
    }
}
