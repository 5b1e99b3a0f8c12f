using System.Text;
using Farm.Models.Tokenizers;

namespace Farm.Inference;

/// <summary>
/// Decodes one sample as it grows and looks for stop strings, also ones that span tokens. Where two match, the one that begins first
/// counts. Decoding text allocates, so samples without stop strings have no matcher.
/// </summary>
internal sealed class StopStringMatcher
{
    // A token whose text the decoder still holds back: it belongs to the piece that brings it.
    private const int Pending = int.MaxValue;

    private readonly IReadOnlyList<string> _stops;
    private readonly ITokenStream _stream;
    private readonly StringBuilder _text = new();
    private readonly List<int> _lengthAfter = [];
    private readonly int _longest;

    public StopStringMatcher(ITokenizer tokenizer, IReadOnlyList<string> stops)
    {
        _stops = stops;
        _stream = tokenizer.CreateStream();
        _longest = stops.Max(stop => stop.Length);
    }

    /// <summary>Adds a token; true if a stop string is now in the text.</summary>
    public bool Append(int id)
    {
        _lengthAfter.Add(Pending);
        return Extend(_stream.Append(id));
    }

    /// <summary>Adds what the decoder still held back; true if that completes a stop string.</summary>
    public bool Flush() => Extend(_stream.Flush());

    /// <summary>The text, cut before the stop string if there was one.</summary>
    public string Text => _text.ToString(0, Cut ?? _text.Length);

    /// <summary>Leading tokens whose text lies wholly before the stop string.</summary>
    public int ContentLength
    {
        get
        {
            int count = _lengthAfter.Count;
            while (Cut is int cut && count > 0 && _lengthAfter[count - 1] > cut)
            {
                count--;
            }

            return count;
        }
    }

    private int? Cut { get; set; }

    private bool Extend(string piece)
    {
        if (piece.Length == 0)
        {
            return false;
        }

        int from = Math.Max(0, _text.Length - _longest + 1);
        _text.Append(piece);
        for (int i = _lengthAfter.Count - 1; i >= 0 && _lengthAfter[i] == Pending; i--)
        {
            _lengthAfter[i] = _text.Length;
        }

        string tail = _text.ToString(from, _text.Length - from);
        foreach (string stop in _stops)
        {
            int at = tail.IndexOf(stop, StringComparison.Ordinal);
            if (at >= 0 && (Cut is null || from + at < Cut))
            {
                Cut = from + at;
            }
        }

        return Cut is not null;
    }
}
