namespace Farm.Conformance;

/// <summary>
/// Combinations of factors such that every pair of levels of every two factors occurs together at least once: nearly all of the
/// faults that a full product finds, at a small fraction of its cases. Greedy and deterministic.
/// </summary>
public static class Pairwise
{
    /// <summary>Rows of level indices, one index per factor, for factors with so many <paramref name="levels"/> each.</summary>
    public static IReadOnlyList<int[]> Cover(params int[] levels)
    {
        ArgumentNullException.ThrowIfNull(levels);
        int factors = levels.Length;
        var open = new HashSet<(int, int, int, int)>();
        for (int f = 0; f < factors; f++)
        {
            for (int g = f + 1; g < factors; g++)
            {
                foreach (int pair in Enumerable.Range(0, levels[f] * levels[g]))
                {
                    open.Add((f, pair / levels[g], g, pair % levels[g]));
                }
            }
        }

        var rows = new List<int[]>();
        while (open.Count > 0)
        {
            var row = Enumerable.Repeat(-1, factors).ToArray();
            var (f0, a0, g0, b0) = open.First();
            (row[f0], row[g0]) = (a0, b0);
            for (int f = 0; f < factors; f++)
            {
                if (row[f] < 0)
                {
                    // Where nothing new can be covered the levels rotate, so that no level is favoured.
                    row[f] = Enumerable.Range(rows.Count, levels[f]).Select(a => a % levels[f]).MaxBy(a => Gain(open, row, f, a));
                }
            }

            for (int f = 0; f < factors; f++)
            {
                for (int g = f + 1; g < factors; g++)
                {
                    open.Remove((f, row[f], g, row[g]));
                }
            }

            rows.Add(row);
        }

        return rows;
    }

    private static int Gain(HashSet<(int, int, int, int)> open, int[] row, int factor, int level)
    {
        int gain = 0;
        for (int g = 0; g < row.Length; g++)
        {
            if (g != factor && row[g] >= 0)
            {
                gain += open.Contains(g < factor ? (g, row[g], factor, level) : (factor, level, g, row[g])) ? 1 : 0;
            }
        }

        return gain;
    }
}
