using System.Globalization;
using System.Text.RegularExpressions;

namespace Farm.Annotation.UltraFeedback;

/// <summary>A critique with its overall score.</summary>
/// <param name="Text">The critique.</param>
/// <param name="ScoreText">The score as the judge wrote it.</param>
/// <param name="Score">The score, 1 to 10.</param>
public sealed record CritiqueReply(string Text, string ScoreText, double Score)
{
    private const string Separator = "\nOverall Score: ";
    private const double Lowest = 1, Highest = 10;

    /// <summary>Reads a reply; null, with the reason in <paramref name="failure"/>, where it has no score or more than one.</summary>
    public static CritiqueReply? Parse(string reply, out string? failure)
    {
        ArgumentNullException.ThrowIfNull(reply);
        string[] parts = ("\n" + reply.ReplaceLineEndings("\n")).Split(Separator);
        if (parts.Length != 2)
        {
            failure = $"the reply has {parts.Length - 1} lines that begin with 'Overall Score: ', not one";
            return null;
        }

        if (ParseScore(parts[1]) is not { } score)
        {
            failure = $"the overall score is no number from 1 to 10 but '{parts[1].Trim()}'";
            return null;
        }

        failure = null;
        return new CritiqueReply(parts[0].Trim(), parts[1].Trim(), score);
    }

    /// <summary>The number that a score begins with (7, 7.5, 7/10); null where it is none from 1 to 10.</summary>
    public static double? ParseScore(string text) =>
        NumberPattern.Match(text) is { Success: true } m && double.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture) is >= Lowest and <= Highest and var score ? score : null;

    private static readonly Regex NumberPattern = new(@"^\s*([0-9]{1,3}(?:\.[0-9]{1,17})?)", RegexOptions.CultureInvariant);
}
