using System.Buffers;
using System.Text;

namespace Farm.Models.Tokenizers.SentencePiece;

/// <summary>
/// SentencePiece's normalisation of a whole text: user-defined symbols are left alone, the compiled rules apply to the longest
/// match, each malformed byte becomes U+FFFD, white space is collapsed if the model says so and written as U+2581.
/// </summary>
internal sealed class SentencePieceNormalizer
{
    private readonly SentencePieceModel _model;
    private readonly PrecompiledCharsMap? _map;
    private readonly PrefixTrie _userDefined = new();

    public SentencePieceNormalizer(SentencePieceModel model, string file)
    {
        _model = model;
        _map = model.CharsMap.Length > 0 ? new PrecompiledCharsMap(model.CharsMap, file) : null;
        foreach (var piece in model.Pieces.Where(p => p.Type == PieceType.UserDefined))
        {
            _userDefined.Add(Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(piece.Text)), 0);
        }
    }

    /// <summary>The normalised text of UTF-8 bytes; <paramref name="dummyPrefix"/> overrides the model's add_dummy_prefix.</summary>
    public string Normalize(ReadOnlySpan<byte> input, bool dummyPrefix)
    {
        var collapse = _model.RemoveExtraWhitespaces;
        while (collapse && !input.IsEmpty)
        {
            var consumed = Prefix(input, out var first);
            if (!first.SequenceEqual(" "u8))
            {
                break;
            }

            input = input[consumed..];
        }

        if (input.IsEmpty)
        {
            return string.Empty;
        }

        var space = _model.EscapeWhitespaces ? "\u2581"u8 : " "u8;
        var output = new ArrayBufferWriter<byte>(input.Length + (input.Length / 2) + 8);
        if (dummyPrefix && !_model.WhitespaceAsSuffix)
        {
            output.Write(space);
        }

        var afterSpace = collapse;
        while (!input.IsEmpty)
        {
            var consumed = Prefix(input, out var piece);
            input = input[consumed..];
            piece = afterSpace ? piece.TrimStart((byte)' ') : piece;
            if (!piece.IsEmpty)
            {
                Append(output, piece, space);
                afterSpace = collapse && piece[^1] == ' ';
            }
        }

        var written = output.WrittenSpan;
        while (collapse && written.EndsWith(space))
        {
            written = written[..^space.Length];
        }

        var text = Encoding.UTF8.GetString(written);
        return dummyPrefix && _model.WhitespaceAsSuffix ? text + Encoding.UTF8.GetString(space) : text;
    }

    private static void Append(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> piece, ReadOnlySpan<byte> space)
    {
        while (!piece.IsEmpty)
        {
            var at = piece.IndexOf((byte)' ');
            if (at < 0)
            {
                output.Write(piece);
                return;
            }

            output.Write(piece[..at]);
            output.Write(space);
            piece = piece[(at + 1)..];
        }
    }

    private int Prefix(ReadOnlySpan<byte> input, out ReadOnlySpan<byte> piece)
    {
        var length = _userDefined.IsEmpty ? 0 : _userDefined.LongestLength(input);
        if (length > 0)
        {
            piece = input[..length];
            return length;
        }

        if (_map is not null)
        {
            length = _map.Longest(input, out piece);
            if (length > 0)
            {
                return length;
            }
        }

        if (Rune.DecodeFromUtf8(input, out _, out length) == OperationStatus.Done)
        {
            piece = input[..length];
            return length;
        }

        piece = "\uFFFD"u8;
        return 1;
    }
}
