namespace Farm.Training.Model;

/// <summary>Packs sequences into passes.</summary>
internal static class TokenPasses
{
    /// <summary>Neighbours together, as many to a pass as fit; each sequence must fit alone.</summary>
    /// <param name="lengths">Rows of each sequence.</param>
    /// <param name="rows">Most rows of a pass.</param>
    /// <param name="sequences">Most sequences of a pass.</param>
    public static IEnumerable<int[]> Cut(IReadOnlyList<int> lengths, int rows, int sequences = int.MaxValue)
    {
        var pass = new List<int>();
        int used = 0;
        for (int i = 0; i < lengths.Count; i++)
        {
            if (pass.Count > 0 && (used + lengths[i] > rows || pass.Count == sequences))
            {
                yield return [.. pass];
                pass.Clear();
                used = 0;
            }

            pass.Add(i);
            used += lengths[i];
        }

        if (pass.Count > 0)
        {
            yield return [.. pass];
        }
    }

    /// <summary>Adds a prompt and what follows it as one sequence; returns its first row.</summary>
    public static int Add(PackedBatch batch, int[] prompt, ReadOnlySpan<int> response) => batch.Add([.. prompt, .. response]);
}
