namespace Farm.Pocket.Tasks;

/// <summary>Ways of writing answers.</summary>
internal static class Answers
{
    /// <summary>Mostly the answer alone with a full stop, else one of the longer forms, in which {0} stands for it; the first letter is a capital.</summary>
    public static Func<Draws, string> Of(string answer, params string[] forms) =>
        draws => Sentence(forms.Length == 0 || draws.Chance(0.6) ? $"{answer}." : draws.Pick(forms).Replace("{0}", answer, StringComparison.Ordinal));

    /// <summary>The text as it stands.</summary>
    public static Func<Draws, string> Exactly(string answer) => _ => answer;

    /// <summary>"a, b and c".</summary>
    public static string Join(IReadOnlyList<string> items) =>
        items.Count < 2 ? string.Concat(items) : $"{string.Join(", ", items.SkipLast(1))} and {items[^1]}";

    /// <summary>With a capital first letter.</summary>
    public static string Sentence(string text) => text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..];
}
