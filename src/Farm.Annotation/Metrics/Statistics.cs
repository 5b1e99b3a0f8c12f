namespace Farm.Annotation.Metrics;

/// <summary>Means, deviations and correlations; NaN where there are too few values.</summary>
public static class Statistics
{
    /// <summary>The mean.</summary>
    public static double Mean(IReadOnlyCollection<double> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        return values.Count == 0 ? double.NaN : values.Sum() / values.Count;
    }

    /// <summary>The sample standard deviation (n - 1 in the divisor).</summary>
    public static double StandardDeviation(IReadOnlyCollection<double> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (values.Count < 2)
        {
            return double.NaN;
        }

        double mean = Mean(values), squares = 0;
        foreach (double value in values)
        {
            squares += (value - mean) * (value - mean);
        }

        return Math.Sqrt(squares / (values.Count - 1));
    }

    /// <summary>The standard error of the mean.</summary>
    public static double StandardError(IReadOnlyCollection<double> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        return StandardDeviation(values) / Math.Sqrt(values.Count);
    }

    /// <summary>The median, the mean of the middle two where they are two.</summary>
    public static double Median(IReadOnlyCollection<double> values)
    {
        double[] sorted = [.. values.Order()];
        int n = sorted.Length;
        return n == 0 ? double.NaN : n % 2 == 1 ? sorted[n / 2] : (sorted[(n / 2) - 1] + sorted[n / 2]) / 2;
    }

    /// <summary>Pearson's correlation; NaN where one side does not vary.</summary>
    public static double Pearson(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(y);
        if (x.Count != y.Count)
        {
            throw new ArgumentException("The two sides must have as many values.", nameof(y));
        }

        double meanX = Mean(x), meanY = Mean(y), xx = 0, yy = 0, xy = 0;
        for (int i = 0; i < x.Count; i++)
        {
            double dx = x[i] - meanX, dy = y[i] - meanY;
            xx += dx * dx;
            yy += dy * dy;
            xy += dx * dy;
        }

        return xx > 0 && yy > 0 ? Math.Clamp(xy / Math.Sqrt(xx * yy), -1, 1) : double.NaN;
    }

    /// <summary>Spearman's correlation: Pearson's of the ranks, equal values sharing the mean of theirs.</summary>
    public static double Spearman(IReadOnlyList<double> x, IReadOnlyList<double> y) => Pearson(Ranks(x), Ranks(y));

    private static double[] Ranks(IReadOnlyList<double> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        int[] order = [.. Enumerable.Range(0, values.Count).OrderBy(i => values[i])];
        double[] ranks = new double[values.Count];
        for (int start = 0, end; start < order.Length; start = end)
        {
            for (end = start + 1; end < order.Length && values[order[end]] == values[order[start]]; end++)
            {
            }

            for (int i = start; i < end; i++)
            {
                ranks[order[i]] = (start + end + 1) / 2.0;
            }
        }

        return ranks;
    }
}
