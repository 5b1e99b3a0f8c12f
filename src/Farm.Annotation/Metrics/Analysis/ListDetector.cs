using System.Text.RegularExpressions;

namespace Farm.Annotation.Metrics.Analysis;

/// <summary>Does a text contain a list?</summary>
public static class ListDetector
{
    // The patterns are AlpacaEval's. Hostile white space makes them slow to backtrack over, hence the engine that does not.
    private static readonly Regex[] Patterns =
    [
        new(@"^\s*[\*\•\-]\s*[^\w]*\w+", RegexOptions.Multiline | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking),
        new(@"^\s*\d+[\.\)]\s*[^\w]*\w+", RegexOptions.Multiline | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking),
        new(@"^\s*[a-zA-Z][\.\)]\s+[^\w]*\w+", RegexOptions.Multiline | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking),
    ];

    /// <summary>True where a line is a bullet, a numbered or a lettered item.</summary>
    public static bool HasList(string text) => Patterns.Any(p => p.IsMatch(text));
}
