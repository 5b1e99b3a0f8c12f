using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Farm.Models.Tokenizers.Json;

/// <summary>
/// A .NET regular expression that sees one unit per code point. .NET matches UTF-16 units, so that letters beyond U+FFFF would
/// count as surrogates; here each such character is stood in for by a BMP character of the same general category.
/// </summary>
internal sealed class CodePointRegex
{
    private static readonly char[] s_standIns = FindStandIns();
    private readonly Regex _regex;

    /// <summary>Compiles a pattern in Oniguruma syntax; what cannot be translated throws <see cref="FormatException"/>.</summary>
    public CodePointRegex(string pattern)
    {
        try
        {
            _regex = new Regex(OnigurumaPattern.Translate(pattern), RegexOptions.CultureInvariant | RegexOptions.Compiled);
        }
        catch (ArgumentException e)
        {
            throw new FormatException(e.Message, e);
        }
    }

    /// <summary>Appends pieces that cover the text: matches, and what stands between them. Empty matches are left out.</summary>
    public void Find(ReadOnlySpan<char> text, List<(int Start, int Length, bool IsMatch)> pieces)
    {
        if (!text.ContainsAnyInRange('\uD800', '\uDFFF'))
        {
            Find(text, pieces, []);
            return;
        }

        var mapped = new char[text.Length];
        var offsets = new int[text.Length + 1];
        var count = 0;
        for (var at = 0; at < text.Length; count++)
        {
            Rune.DecodeFromUtf16(text[at..], out var rune, out var length);
            mapped[count] = rune.IsBmp ? (char)rune.Value : s_standIns[(int)Rune.GetUnicodeCategory(rune)];
            offsets[count] = at;
            at += length;
        }

        offsets[count] = text.Length;
        Find(mapped.AsSpan(0, count), pieces, offsets);
    }

    private void Find(ReadOnlySpan<char> text, List<(int Start, int Length, bool IsMatch)> pieces, ReadOnlySpan<int> offsets)
    {
        var done = 0;
        foreach (var match in _regex.EnumerateMatches(text))
        {
            if (match.Length == 0)
            {
                continue;
            }

            Add(done, match.Index, false, pieces, offsets);
            done = match.Index + match.Length;
            Add(match.Index, done, true, pieces, offsets);
        }

        Add(done, text.Length, false, pieces, offsets);
    }

    private static void Add(int start, int end, bool isMatch, List<(int Start, int Length, bool IsMatch)> pieces, ReadOnlySpan<int> offsets)
    {
        if (end > start)
        {
            var from = offsets.IsEmpty ? start : offsets[start];
            pieces.Add((from, (offsets.IsEmpty ? end : offsets[end]) - from, isMatch));
        }
    }

    // The last BMP character of each category: these lie in blocks that no pattern names character by character.
    private static char[] FindStandIns()
    {
        var found = new char[30];
        for (var c = 0; c <= char.MaxValue; c++)
        {
            found[(int)CharUnicodeInfo.GetUnicodeCategory((char)c)] = (char)c;
        }

        return found;
    }
}
