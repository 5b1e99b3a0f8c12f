using System.Globalization;

namespace Farm.Annotation.Parsing;

/// <summary>Reads two scores from the first line: the greater wins, equal ones are a draw.</summary>
internal sealed class LmsysParser : ICompletionParser
{
    public IReadOnlyList<object?> Parse(object? completion)
    {
        string[] scores = Texts.Of(completion).Split('\n')[0].Replace(',', ' ').Trim('\r').Split(' ');
        if (scores.Length != 2 || !Score(scores[0], out double first) || !Score(scores[1], out double second))
        {
            return [new JudgeFailure(FailureReason.NotTwoScores, "the first line is not two scores")];
        }

        return [first > second ? 1.0 : first < second ? 2.0 : 1.5];
    }

    private static bool Score(string text, out double score) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out score) && double.IsFinite(score);
}
