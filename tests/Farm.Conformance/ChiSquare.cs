namespace Farm.Conformance;

/// <summary>Pearson's test that counts come from a given distribution.</summary>
public static class ChiSquare
{
    /// <summary>
    /// The statistic in units of standard deviations, by the cube-root transformation of Wilson and Hilferty (1931): roughly standard
    /// normal when the counts come from <paramref name="probabilities"/>. Infinite where an impossible outcome occurred.
    /// </summary>
    public static double Deviation(ReadOnlySpan<long> counts, ReadOnlySpan<double> probabilities)
    {
        Assert.Equal(probabilities.Length, counts.Length);
        double total = 0, statistic = 0;
        int possible = 0;
        foreach (long count in counts)
        {
            total += count;
        }

        for (int t = 0; t < counts.Length; t++)
        {
            if (probabilities[t] == 0)
            {
                if (counts[t] > 0)
                {
                    return double.PositiveInfinity;
                }

                continue;
            }

            double expected = total * probabilities[t];
            Assert.True(expected >= 5, $"outcome {t} is expected {expected} times, too few for the test");
            statistic += (counts[t] - expected) * (counts[t] - expected) / expected;
            possible++;
        }

        int freedom = Math.Max(possible - 1, 1);
        double spread = 2.0 / (9 * freedom);
        return (Math.Cbrt(statistic / freedom) - (1 - spread)) / Math.Sqrt(spread);
    }
}
