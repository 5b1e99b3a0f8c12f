using System.Text;
using Farm.Models.Tokenizers;

namespace Farm.Inference.Tests;

/// <summary>Every id is a short piece of text: 0 is BOS, 1 is EOS, the others one letter, some of them two.</summary>
internal sealed class FakeTokenizer(int size = 41, string shift = "") : ITokenizer
{
    private readonly string[] _pieces = [.. Enumerable.Range(0, size).Select(id => id < 2 ? "" : shift + (id % 5 == 0 ? $"{(char)('a' + (id % 26))}{(char)('A' + (id % 26))}" : $"{(char)(' ' + id)}"))];

    public int VocabularySize => size;

    public int? BosId => 0;

    public int? EosId => 1;

    public int? PadId => null;

    public int? ModelMaxLength { get; init; }

    public bool IsSpecial(int id) => id < 2;

    public int? IdOf(string token) => Array.IndexOf(_pieces, token) is >= 2 and int id ? id : null;

    public int[] Encode(string text, bool addSpecialTokens = true)
    {
        var ids = new List<int>();
        if (addSpecialTokens)
        {
            ids.Add(0);
        }

        for (int at = 0; at < text.Length;)
        {
            int best = Enumerable.Range(2, size - 2)
                .Where(id => string.CompareOrdinal(text, at, _pieces[id], 0, _pieces[id].Length) == 0)
                .OrderByDescending(id => _pieces[id].Length).FirstOrDefault();
            ids.Add(best);
            at += best == 0 ? 1 : _pieces[best].Length;
        }

        return [.. ids];
    }

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        var text = new StringBuilder();
        foreach (int id in ids)
        {
            text.Append(_pieces[id]);
        }

        return text.ToString();
    }

    public ITokenStream CreateStream(bool skipSpecialTokens = true) => new Stream(_pieces);

    /// <summary>Holds each piece back until the next token, as a decoder does that waits for whole characters.</summary>
    private sealed class Stream(string[] pieces) : ITokenStream
    {
        private string _held = "";

        public string Append(int id)
        {
            // Pieces of two letters come at once, single ones a token late.
            string out_ = pieces[id].Length == 2 ? _held + pieces[id] : _held;
            _held = pieces[id].Length == 2 ? "" : pieces[id];
            return out_;
        }

        public string Flush()
        {
            string rest = _held;
            _held = "";
            return rest;
        }
    }
}
