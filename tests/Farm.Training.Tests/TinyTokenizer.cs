using System.Globalization;
using Farm.Models.Tokenizers;

namespace Farm.Training.Tests;

/// <summary>A tokenizer whose texts are numbers with spaces between them: 0 is padding, 1 begins, 2 ends.</summary>
internal sealed class TinyTokenizer(int vocabulary = 13) : ITokenizer
{
    public int VocabularySize => vocabulary;

    public int? BosId => 1;

    public int? EosId => 2;

    public int? PadId => 0;

    public int? ModelMaxLength => null;

    public bool IsSpecial(int id) => id < 3;

    public int? IdOf(string token) => int.TryParse(token, out int id) && id < vocabulary ? id : null;

    public int[] Encode(string text, bool addSpecialTokens = true)
    {
        int[] ids = [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(t => int.Parse(t, CultureInfo.InvariantCulture))];
        return addSpecialTokens ? [1, .. ids] : ids;
    }

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true) => string.Join(' ', ids.ToArray().Where(i => !skipSpecialTokens || !IsSpecial(i)));

    public ITokenStream CreateStream(bool skipSpecialTokens = true) => throw new NotSupportedException();
}
