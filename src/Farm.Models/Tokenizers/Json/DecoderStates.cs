using System.Text;
using Farm.Models.Tokenizers.SentencePiece;

namespace Farm.Models.Tokenizers.Json;

/// <summary>The end of the chain.</summary>
internal sealed class SinkState(StringBuilder text) : DecoderState
{
    public override void Push(string token) => text.Append(token);
}

/// <summary>Without a decoder tokens are joined by spaces.</summary>
internal sealed class SpaceJoinState : DecoderState
{
    private bool _started;

    public override void Push(string token)
    {
        Next!.Push(_started ? " " + token : token);
        _started = true;
    }

    public override void End() => _started = false;
}

/// <summary>Replaces a pattern in every token.</summary>
internal sealed class ReplaceState(TextPattern pattern, string content) : DecoderState
{
    public override void Push(string token) => Next!.Push(pattern.Replace(token, content));
}

/// <summary>Writes the replacement character as a space; in the first token it is left out if encoding put it there.</summary>
internal sealed class MetaspaceState(string replacement, bool prepended) : DecoderState
{
    private bool _started;

    public override void Push(string token)
    {
        Next!.Push(token.Replace(replacement, !_started && prepended ? string.Empty : " ", StringComparison.Ordinal));
        _started = true;
    }

    public override void End() => _started = false;
}

/// <summary>
/// Gathers runs of byte tokens such as <c>&lt;0xE2&gt;</c>. A run that is valid UTF-8 as a whole becomes its text, any other one U+FFFD for each
/// byte; so nothing of a run is certain before its end.
/// </summary>
internal sealed class ByteFallbackState : DecoderState
{
    private static readonly UTF8Encoding s_strict = new(false, throwOnInvalidBytes: true);
    private readonly List<byte> _run = [];

    public override void Push(string token)
    {
        if (SentencePieceModel.ByteOf(token) is >= 0 and var value)
        {
            _run.Add((byte)value);
            return;
        }

        End();
        Next!.Push(token);
    }

    public override void End()
    {
        if (_run.Count == 0)
        {
            return;
        }

        try
        {
            Next!.Push(s_strict.GetString([.. _run]));
        }
        catch (DecoderFallbackException)
        {
            for (var i = 0; i < _run.Count; i++)
            {
                Next!.Push("\uFFFD");
            }
        }

        _run.Clear();
    }
}

/// <summary>GPT-2's byte characters back to bytes, the bytes of all tokens together to text.</summary>
internal sealed class ByteLevelState : DecoderState
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();

    public override void Push(string token)
    {
        var bytes = new byte[token.Length];
        for (var i = 0; i < token.Length; i++)
        {
            var value = ByteLevelAlphabet.ByteOf(token[i]);
            if (value < 0)
            {
                // Not of the alphabet, such as an added token: its own text.
                bytes = Encoding.UTF8.GetBytes(token);
                break;
            }

            bytes[i] = (byte)value;
        }

        Write(bytes, flush: false);
    }

    public override void End() => Write([], flush: true);

    private void Write(byte[] bytes, bool flush)
    {
        var chars = new char[Encoding.UTF8.GetMaxCharCount(bytes.Length)];
        var count = _decoder.GetChars(bytes, chars, flush);
        if (count > 0)
        {
            Next!.Push(new string(chars, 0, count));
        }
    }
}

/// <summary>Strips up to a number of leading and trailing characters from every token.</summary>
internal sealed class StripState(char content, int start, int stop) : DecoderState
{
    public override void Push(string token)
    {
        var from = 0;
        while (from < start && from < token.Length && token[from] == content)
        {
            from++;
        }

        var to = token.Length;
        while (token.Length - to < stop && to > from && token[to - 1] == content)
        {
            to--;
        }

        Next!.Push(token[from..to]);
    }
}

/// <summary>Strips up to a number of leading and trailing characters from the whole text.</summary>
internal sealed class FusedStripState(char content, int start, int stop) : DecoderState
{
    private int _stripped;
    private bool _inText;
    private int _held;

    public override void Push(string token)
    {
        var at = 0;
        while (!_inText && at < token.Length)
        {
            if (token[at] != content || _stripped == start)
            {
                _inText = true;
                break;
            }

            _stripped++;
            at++;
        }

        var text = new string(content, _held) + token[at..];
        var end = text.Length;
        while (text.Length - end < stop && end > 0 && text[end - 1] == content)
        {
            end--;
        }

        _held = text.Length - end;
        if (end > 0)
        {
            Next!.Push(text[..end]);
        }
    }

    public override void End() => (_stripped, _inText, _held) = (0, false, 0);
}
