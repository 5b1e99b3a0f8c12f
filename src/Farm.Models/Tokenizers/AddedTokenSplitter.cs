using System.Globalization;
using System.Text;

namespace Farm.Models.Tokenizers;

/// <summary>
/// Cuts a text at added tokens: leftmost first, the longest at each place, honouring single-word, left-strip and right-strip as
/// the Hugging Face <c>tokenizers</c> library does.
/// </summary>
internal sealed class AddedTokenSplitter
{
    private readonly PrefixTrie _trie = new();
    private readonly List<AddedToken> _tokens = [];

    /// <summary>Creates the splitter; <paramref name="contentOf"/> gives the text that each token is sought by.</summary>
    public AddedTokenSplitter(IEnumerable<AddedToken> tokens, Func<AddedToken, string> contentOf)
    {
        foreach (var token in tokens)
        {
            _trie.Add(contentOf(token), _tokens.Count);
            _tokens.Add(token);
        }
    }

    public bool IsEmpty => _trie.IsEmpty;

    /// <summary>The pieces in order: text (token null) or an added token. Empty texts are left out.</summary>
    public void Split(string text, List<(int Start, int Length, AddedToken? Token)> pieces)
    {
        var done = 0;
        var at = 0;
        while (at < text.Length)
        {
            var (length, index) = _trie.Longest(text.AsSpan(at));
            if (length == 0)
            {
                at++;
                continue;
            }

            var token = _tokens[index];
            var start = at;
            var stop = at + length;
            at = stop;
            if (token.SingleWord && (EndsWithWord(text.AsSpan(0, start)) || StartsWithWord(text.AsSpan(stop))))
            {
                continue;
            }

            if (token.LeftStrip)
            {
                start = Math.Max(done, text.AsSpan(0, start).TrimEnd().Length);
            }

            if (token.RightStrip)
            {
                stop = text.Length - text.AsSpan(stop).TrimStart().Length;
                at = Math.Max(at, stop);
            }

            if (start > done)
            {
                pieces.Add((done, start - done, null));
            }

            pieces.Add((start, stop - start, token));
            done = stop;
        }

        if (done < text.Length)
        {
            pieces.Add((done, text.Length - done, null));
        }
    }

    private static bool StartsWithWord(ReadOnlySpan<char> text) => !text.IsEmpty && Rune.DecodeFromUtf16(text, out var rune, out _) == 0 && IsWord(rune);

    private static bool EndsWithWord(ReadOnlySpan<char> text) => !text.IsEmpty && Rune.DecodeLastFromUtf16(text, out var rune, out _) == 0 && IsWord(rune);

    private static bool IsWord(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter or UnicodeCategory.NonSpacingMark
            or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark or UnicodeCategory.DecimalDigitNumber
            or UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation => true,
        _ => rune.Value is 0x200C or 0x200D,
    };
}
