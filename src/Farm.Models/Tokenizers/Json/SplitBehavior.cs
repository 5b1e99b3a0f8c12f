namespace Farm.Models.Tokenizers.Json;

/// <summary>What happens to the delimiters that a splitting pre-tokenizer finds, by the names of Hugging Face tokenizers.</summary>
internal enum SplitBehavior
{
    /// <summary>Dropped.</summary>
    Removed,

    /// <summary>A part of their own.</summary>
    Isolated,

    /// <summary>The end of the part before them.</summary>
    MergedWithPrevious,

    /// <summary>The start of the part after them.</summary>
    MergedWithNext,

    /// <summary>Neighbouring delimiters are one part.</summary>
    Contiguous,
}

/// <summary>Applies a <see cref="SplitBehavior"/>.</summary>
internal static class SplitBehaviors
{
    public static SplitBehavior Read(JsonField field) => field.String() switch
    {
        "Removed" => SplitBehavior.Removed,
        "Isolated" => SplitBehavior.Isolated,
        "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" => SplitBehavior.MergedWithNext,
        "Contiguous" => SplitBehavior.Contiguous,
        var other => throw field.Error($"is '{other}', which is not a known behavior"),
    };

    /// <summary>
    /// Turns a sequence that covers a text, delimiters marked, into parts. Each entry is one delimiter or one stretch between two.
    /// </summary>
    public static void Apply(SplitBehavior behavior, List<(int Start, int Length, bool Delimiter)> pieces, List<(int Start, int Length)> parts)
    {
        switch (behavior)
        {
            case SplitBehavior.Removed:
                parts.AddRange(pieces.Where(p => !p.Delimiter).Select(p => (p.Start, p.Length)));
                break;
            case SplitBehavior.Isolated:
                parts.AddRange(pieces.Select(p => (p.Start, p.Length)));
                break;
            case SplitBehavior.MergedWithPrevious:
                MergeRuns(pieces, parts, (before, now) => now && !before);
                break;
            case SplitBehavior.Contiguous:
                MergeRuns(pieces, parts, (before, now) => now == before);
                break;
            case SplitBehavior.MergedWithNext:
                MergeRuns(pieces, parts, (before, now) => before && !now);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(behavior));
        }
    }

    private static void MergeRuns(List<(int Start, int Length, bool Delimiter)> pieces, List<(int Start, int Length)> parts, Func<bool, bool, bool> joins)
    {
        for (var i = 0; i < pieces.Count; i++)
        {
            if (i > 0 && joins(pieces[i - 1].Delimiter, pieces[i].Delimiter))
            {
                parts[^1] = (parts[^1].Start, parts[^1].Length + pieces[i].Length);
            }
            else
            {
                parts.Add((pieces[i].Start, pieces[i].Length));
            }
        }
    }
}
