namespace Farm.Annotation.Python;

/// <summary>A permutation that leaves nothing in its place, as AlpacaEval draws it to pair samples with one another.</summary>
public static class Derangement
{
    private const int Attempts = 10;

    /// <summary>The derangement of <paramref name="count"/> things; fewer than two stay as they are.</summary>
    public static int[] Of(int count, long seed)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        if (count < 2)
        {
            return order;
        }

        var random = new PythonRandom(seed);
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            random.Shuffle(order);
            if (IsDeranged(order))
            {
                return order;
            }
        }

        // Ten failures in a row happen to one in a hundred seeds; what follows lists all derangements and only small counts can be listed.
        var all = new List<int[]>();
        List(new int[count], 0, new bool[count], all);
        return all[random.Choice(all.Count)];
    }

    private static bool IsDeranged(int[] order)
    {
        for (int i = 0; i < order.Length; i++)
        {
            if (order[i] == i)
            {
                return false;
            }
        }

        return true;
    }

    private static void List(int[] order, int at, bool[] used, List<int[]> all)
    {
        const int Enough = 1_000_000;
        if (at == order.Length)
        {
            all.Add([.. order]);
            return;
        }

        for (int i = 0; i < order.Length && all.Count < Enough; i++)
        {
            if (i != at && !used[i])
            {
                (order[at], used[i]) = (i, true);
                List(order, at + 1, used, all);
                used[i] = false;
            }
        }
    }
}
