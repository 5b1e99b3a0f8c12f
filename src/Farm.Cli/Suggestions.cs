namespace Farm.Cli;

/// <summary>Names that a mistyped one may have meant.</summary>
internal static class Suggestions
{
    private const int MaxDistance = 3;

    /// <summary>The names nearest to <paramref name="typed"/>, at most three edits away and less than half its length.</summary>
    public static IEnumerable<string> Near(string typed, IEnumerable<string> names)
    {
        var ranked = names.Select(n => (Name: n, Distance: Distance(typed, n)))
            .Where(p => p.Distance <= Math.Min(MaxDistance, typed.TrimStart('-').Length / 2))
            .OrderBy(p => p.Distance)
            .ToList();
        return ranked.Where(p => p.Distance == ranked[0].Distance).Select(p => p.Name);
    }

    /// <summary>Insertions, deletions and substitutions from one text to the other (Levenshtein).</summary>
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substituted, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[b.Length];
    }
}
