using System.Text.RegularExpressions;

namespace Farm.Pocket.Tasks;

/// <summary>One wording of an instruction, with places such as <c>{n}</c>; it writes instructions and recognises those it wrote.</summary>
/// <remarks>
/// The value of a place is one word, perhaps with an article before or " of clothing" after it: places next to each other stay apart. A word
/// ends at the first character that is in no word, and the text after a place begins with such a character, so a text is read without going back over it.
/// </remarks>
internal sealed partial class Phrasing
{
    private const string Clothing = " of clothing";

    /// <summary>What stands before, between and after the places.</summary>
    private readonly string[] _literals;

    private readonly string[] _names;

    public Phrasing(string text)
    {
        // Split keeps the captured names at the odd places.
        string[] parts = Place().Split(text);
        _literals = [.. parts.Where((_, i) => i % 2 == 0)];
        _names = [.. parts.Where((_, i) => i % 2 == 1)];
        if (_literals.Skip(1).SkipLast(1).Any(l => l.Length == 0) || _literals.Skip(1).Any(l => l.Length > 0 && IsInWord(l[0])))
        {
            throw new ArgumentException($"A place of '{text}' is followed by a letter, so that its end cannot be told.", nameof(text));
        }
    }

    [GeneratedRegex(@"\{([a-z]+)\}", RegexOptions.CultureInvariant)]
    private static partial Regex Place();

    /// <summary>The instruction with the values in their places.</summary>
    public string Fill(Slots slots)
    {
        if (_names.Length == 0)
        {
            return _literals[0];
        }

        string[] parts = new string[_literals.Length + _names.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            parts[i] = i % 2 == 0 ? _literals[i / 2] : slots[_names[i / 2]];
        }

        return string.Concat(parts);
    }

    /// <summary>The values of an instruction of this wording, null for another.</summary>
    public Slots? Match(string instruction, string input)
    {
        // The fixed ends rule nearly all wordings out at once.
        if (!instruction.StartsWith(_literals[0], StringComparison.Ordinal) || !instruction.EndsWith(_literals[^1], StringComparison.Ordinal))
        {
            return null;
        }

        var values = new (string, string)[_names.Length + 1];
        if (!Read(instruction, _literals[0].Length, 0, values))
        {
            return null;
        }

        values[^1] = ("input", input);
        return new Slots(values);
    }

    /// <summary>Reads the values from a place on, the longest first, and all that follows.</summary>
    private bool Read(string text, int at, int place, Span<(string, string)> values)
    {
        if (place == _names.Length)
        {
            return at == text.Length;
        }

        int article = Article(text.AsSpan(at));
        return (article > 0 && Word(text, at, at + article, place, values)) || Word(text, at, at, place, values);
    }

    private bool Word(string text, int start, int word, int place, Span<(string, string)> values)
    {
        int end = word;
        while (end < text.Length && IsInWord(text[end]))
        {
            end++;
        }

        return end > word
            && ((string.CompareOrdinal(text, end, Clothing, 0, Clothing.Length) == 0 && Rest(text, start, end + Clothing.Length, place, values)) || Rest(text, start, end, place, values));
    }

    private bool Rest(string text, int start, int end, int place, Span<(string, string)> values)
    {
        string literal = _literals[place + 1];
        if (string.CompareOrdinal(text, end, literal, 0, literal.Length) != 0 || !Read(text, end + literal.Length, place + 1, values))
        {
            return false;
        }

        values[place] = (_names[place], text[start..end]);
        return true;
    }

    private static int Article(ReadOnlySpan<char> text) => text.StartsWith("an ", StringComparison.Ordinal) ? 3 : text.StartsWith("a ", StringComparison.Ordinal) ? 2 : 0;

    private static bool IsInWord(char c) => c is not (',' or ':' or '.' or '?') && !char.IsWhiteSpace(c);
}
