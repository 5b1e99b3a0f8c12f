using System.Globalization;
using Farm.Models.Tokenizers;

namespace Farm.Cuda.Tests.EndToEnd;

/// <summary>A tokenizer of <see cref="TinyLlama"/>'s vocabulary, whose texts are numbers with spaces between them; 0 begins a text and 1 ends it.</summary>
internal sealed class NumberTokenizer : ITokenizer
{
    public int VocabularySize => TinyLlama.Config.VocabularySize;

    public int? BosId => 0;

    public int? EosId => 1;

    public int? PadId => null;

    public int? ModelMaxLength => null;

    public bool IsSpecial(int id) => id < 2;

    public int? IdOf(string token) => int.TryParse(token, NumberStyles.None, CultureInfo.InvariantCulture, out int id) && id < VocabularySize ? id : null;

    public int[] Encode(string text, bool addSpecialTokens = true)
    {
        int[] ids = [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(t => int.Parse(t, CultureInfo.InvariantCulture))];
        return addSpecialTokens ? [0, .. ids] : ids;
    }

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true) => string.Join(' ', ids.ToArray().Where(i => !skipSpecialTokens || !IsSpecial(i)));

    public ITokenStream CreateStream(bool skipSpecialTokens = true) => throw new NotSupportedException();
}
