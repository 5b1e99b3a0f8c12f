using System.Text;
using Farm.Models.Tokenizers;

namespace Farm.Inference;

/// <summary>
/// Decodes one sample as it grows and looks for stop strings, also ones that span tokens. Where two match, the one that begins first
/// counts. Decoding text allocates, so samples without stop strings have no matcher.
/// </summary>
internal sealed class StopStringMatcher
{
    private readonly ITokenizer _tokenizer;
    private readonly IReadOnlyList<string> _stops;
    private readonly ITokenStream _stream;
    private readonly StringBuilder _text = new();
    private readonly int _longest;
    private int? _cut;

    public StopStringMatcher(ITokenizer tokenizer, IReadOnlyList<string> stops)
    {
        _tokenizer = tokenizer;
        _stops = stops;
        _stream = tokenizer.CreateStream();
        _longest = stops.Max(stop => stop.Length);
    }

    /// <summary>The text, cut before the stop string if there was one.</summary>
    public string Text => _text.ToString(0, _cut ?? _text.Length);

    /// <summary>Adds a token; true if a stop string is now in the text.</summary>
    public bool Append(int id) => Extend(_stream.Append(id));

    /// <summary>Adds what the decoder still held back; true if that completes a stop string.</summary>
    public bool Flush() => Extend(_stream.Flush());

    /// <summary>The most leading tokens of the sample whose text lies wholly before the stop string.</summary>
    public int ContentLength(ReadOnlySpan<int> tokens)
    {
        string text = Text;
        int count = tokens.Length;
        while (count > 0 && !text.StartsWith(_tokenizer.Decode(tokens[..count]), StringComparison.Ordinal))
        {
            count--;
        }

        return count;
    }

    private bool Extend(string piece)
    {
        if (piece.Length == 0)
        {
            return false;
        }

        int from = Math.Max(0, _text.Length - _longest + 1);
        _text.Append(piece);
        string tail = _text.ToString(from, _text.Length - from);
        foreach (string stop in _stops)
        {
            int at = tail.IndexOf(stop, StringComparison.Ordinal);
            if (at >= 0 && (_cut is null || from + at < _cut))
            {
                _cut = from + at;
            }
        }

        return _cut is not null;
    }
}
