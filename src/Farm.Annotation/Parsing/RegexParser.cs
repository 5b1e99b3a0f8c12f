using System.Text.RegularExpressions;
using Farm.Annotation.Configuration;
using Farm.Core;

namespace Farm.Annotation.Parsing;

/// <summary>
/// Finds patterns from left to right: the earliest match says its value (of two that begin together the first in the file), the text up to its
/// end is cut away, and so on. <c>^</c> matches where the rest begins.
/// </summary>
internal sealed class RegexParser : ICompletionParser
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private readonly (object Value, Regex Pattern)[] _patterns;

    public RegexParser(string place, OrderedDictionary<object, object?> outputsToMatch) =>
        _patterns = [.. outputsToMatch.Select(p => (p.Key, Pattern(place, JudgeConfigReader.Text(p.Key), p.Value)))];

    public IReadOnlyList<object?> Parse(object? completion)
    {
        string text = Texts.Of(completion);
        var values = new List<object?>();
        while (true)
        {
            (object? value, Match? first) = (null, null);
            foreach (var (candidate, pattern) in _patterns)
            {
                var match = pattern.Match(text);
                if (match.Success && (first is null || match.Index < first.Index))
                {
                    (value, first) = (candidate, match);
                }
            }

            if (first is null)
            {
                return values.Count > 0 ? values : throw new UnparsedReplyException(FailureReason.NoMatch, "no pattern matches the reply");
            }

            values.Add(value);
            text = text[(first.Index + first.Length)..];
        }
    }

    private static Regex Pattern(string place, string key, object? text)
    {
        string source = text as string ?? JudgeConfigReader.Text(text);
        try
        {
            var regex = new Regex(source, RegexOptions.CultureInvariant, Patience);
            return regex.IsMatch(string.Empty)
                ? throw new BadInputException($"{place}, outputs_to_match {key}: the pattern '{source}' matches empty text and would match for ever.")
                : regex;
        }
        catch (ArgumentException e)
        {
            throw new BadInputException($"{place}, outputs_to_match {key}: '{source}' is no regular expression: {e.Message}", e);
        }
    }
}

/// <summary>What parsers of texts begin with.</summary>
internal static class Texts
{
    /// <summary>The completion as a text that says something.</summary>
    public static string Of(object? completion) => completion switch
    {
        string { Length: > 0 } text => text,
        string or null => throw new UnparsedReplyException(FailureReason.EmptyReply, "the reply is empty"),
        _ => throw new UnparsedReplyException(FailureReason.NoMatch, "the reply is an object where a text is meant"),
    };
}
