namespace Farm.Annotation.SparseFeedback;

/// <summary>A response to be rated.</summary>
/// <param name="Place">Where it is from, for messages.</param>
/// <param name="Instruction">The instruction.</param>
/// <param name="Input">The input as the file spells it; see <see cref="SparseInput"/>.</param>
/// <param name="Response">The response.</param>
public sealed record SparseResponse(string Place, string Instruction, string Input, string Response);

/// <summary>Two responses to be compared.</summary>
/// <param name="Place">Where they are from, for messages.</param>
/// <param name="Instruction">The instruction.</param>
/// <param name="Input">The input as the file spells it.</param>
/// <param name="Response1">The first response, (a).</param>
/// <param name="Response2">The second response, (b).</param>
public sealed record SparsePair(string Place, string Instruction, string Input, string Response1, string Response2);

/// <summary>A rated response.</summary>
/// <param name="Place">Where it is from, for messages.</param>
/// <param name="Instruction">The instruction.</param>
/// <param name="Input">The input as the file spells it.</param>
/// <param name="Output">The response.</param>
/// <param name="Score">The rating, on a scale of 1 to 7.</param>
/// <param name="ScoreText">The rating as the file spells it.</param>
public sealed record SparseRating(string Place, string Instruction, string Input, string Output, double Score, string ScoreText);

/// <summary>A compared pair.</summary>
/// <param name="Place">Where it is from, for messages.</param>
/// <param name="Instruction">The instruction.</param>
/// <param name="Input">The input as the file spells it.</param>
/// <param name="Output1">The first response.</param>
/// <param name="Output2">The second response.</param>
/// <param name="Verdict">Which is better.</param>
public sealed record SparseRanking(string Place, string Instruction, string Input, string Output1, string Output2, SparseVerdict Verdict);

/// <summary>The outcome of a comparison in both orders.</summary>
public enum SparseVerdict
{
    /// <summary>The orders contradict each other: neither is better.</summary>
    Equal,

    /// <summary>The first response.</summary>
    First,

    /// <summary>The second response.</summary>
    Second,
}

/// <summary>How files say that there is no input.</summary>
public static class SparseInput
{
    private static readonly HashSet<string> PandasMissing = new(StringComparer.Ordinal)
    {
        "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
    };

    /// <summary>The input, null where there is none: the field is empty or <c>nan</c>, which is what pandas makes of an empty one.</summary>
    /// <param name="text">The field.</param>
    /// <param name="asPandas">True to take everything for missing that pandas does, e.g. <c>NA</c> and <c>None</c>, which may be real inputs.</param>
    public static string? Of(string text, bool asPandas = false) => text is "" or "nan" || (asPandas && PandasMissing.Contains(text)) ? null : text;
}
