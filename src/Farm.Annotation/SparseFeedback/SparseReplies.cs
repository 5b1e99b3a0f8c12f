using System.Globalization;

namespace Farm.Annotation.SparseFeedback;

/// <summary>Reads what a judge replies to a rating or a comparison.</summary>
public static class SparseReplies
{
    private const int Lowest = 1, Highest = 7;

    /// <summary>The rating: the first line must be a whole number from 1 to 7 and nothing else.</summary>
    /// <param name="reply">The reply.</param>
    /// <param name="failure">Why there is none.</param>
    public static int? Rating(string reply, out string? failure)
    {
        ArgumentNullException.ThrowIfNull(reply);
        string line = reply.Split('\n')[0].TrimEnd('\r');
        bool digits = line.Length > 0 && line.All(char.IsAsciiDigit);
        failure = !digits ? $"the first line is no whole number but '{Shorten(line)}'"
            : int.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out int score) && score is >= Lowest and <= Highest ? null
            : $"the rating {Shorten(line)} is not from {Lowest} to {Highest}";
        return failure is null ? int.Parse(line, CultureInfo.InvariantCulture) : null;
    }

    /// <summary>The verdict of a pair that was shown in both orders: (a) and (b) name the shown place, and the same place twice means that neither is better.</summary>
    /// <param name="reply">The reply to the order of the file.</param>
    /// <param name="swapped">The reply to the other order.</param>
    /// <param name="failure">Why there is none.</param>
    public static SparseVerdict? Ranking(string reply, string swapped, out string? failure)
    {
        ArgumentNullException.ThrowIfNull(reply);
        ArgumentNullException.ThrowIfNull(swapped);
        bool a1 = Names(reply, "(a)"), b1 = Names(reply, "(b)"), a2 = Names(swapped, "(a)"), b2 = Names(swapped, "(b)");
        failure = null;
        if (a1 && b2)
        {
            return SparseVerdict.First;
        }

        if (b1 && a2)
        {
            return SparseVerdict.Second;
        }

        if ((a1 && a2) || (b1 && b2))
        {
            return SparseVerdict.Equal;
        }

        failure = $"neither (a) nor (b) is in the reply '{Shorten(a1 || b1 ? swapped : reply)}'";
        return null;
    }

    private static bool Names(string reply, string letter) => reply.Contains(letter, StringComparison.Ordinal);

    private static string Shorten(string text) => text.Length > 60 ? text[..60] + "..." : text;
}
