namespace Farm.Annotation.Metrics;

/// <summary>Lengths of texts as Python counts them.</summary>
public static class CodePoints
{
    /// <summary>The number of Unicode code points; an unpaired surrogate counts as one.</summary>
    public static int Count(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        int pairs = 0;
        for (int i = 1; i < text.Length; i++)
        {
            if (char.IsSurrogatePair(text[i - 1], text[i]))
            {
                pairs++;
                i++;
            }
        }

        return text.Length - pairs;
    }

    /// <summary>
    /// The mean length of the texts, cut to a whole number as AlpacaEval's <c>avg_length</c>; null texts do not count, null where none is left.
    /// </summary>
    public static long? AverageLength(IEnumerable<string?> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        long sum = 0, n = 0;
        foreach (string? text in texts)
        {
            if (text is not null)
            {
                sum += Count(text);
                n++;
            }
        }

        return n == 0 ? null : (long)((double)sum / n);
    }
}
