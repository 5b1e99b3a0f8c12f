using System.Buffers;
using System.Text;

namespace Farm.Models.Tokenizers.SentencePiece;

/// <summary>
/// Decodes pieces one by one by SentencePiece's rules: U+2581 is a space, the dummy prefix at the start of the text is dropped, byte
/// pieces gather into characters, and each byte that cannot be part of one becomes U+FFFD.
/// </summary>
internal sealed class SentencePieceStream(SentencePieceTokenizer tokenizer, bool skipSpecialTokens) : ITokenStream
{
    private readonly byte[] _bytes = new byte[4];
    private readonly StringBuilder _text = new();
    private int _byteCount;
    private bool _atStart = true;

    public string Append(int id)
    {
        var added = tokenizer.AddedAt(id);
        if (skipSpecialTokens && tokenizer.IsSpecial(id))
        {
            return string.Empty;
        }

        _text.Clear();
        var piece = added is null ? tokenizer.Model.Pieces[id] : new Piece(added.Content, 0, PieceType.Control);
        if (piece.Type == PieceType.Byte)
        {
            AppendByte((byte)SentencePieceModel.ByteOf(piece.Text));
        }
        else
        {
            FlushBytes();
            _text.Append(Surface(piece));
        }

        _atStart &= _text.Length == 0 && _byteCount == 0;
        return _text.ToString();
    }

    public string Flush()
    {
        _text.Clear();
        FlushBytes();
        _atStart = true;
        return _text.ToString();
    }

    private string Surface(Piece piece)
    {
        if (piece.Type is PieceType.Control or PieceType.Unknown)
        {
            return piece.Text;
        }

        var text = piece.Text;
        var model = tokenizer.Model;
        if (_atStart && text[0] == '\u2581' && (model.AddDummyPrefix || model.RemoveExtraWhitespaces))
        {
            text = text[1..];
            _atStart = model.RemoveExtraWhitespaces;
        }

        return text.Replace('\u2581', ' ');
    }

    private void AppendByte(byte value)
    {
        _bytes[_byteCount++] = value;
        while (_byteCount > 0)
        {
            var status = Rune.DecodeFromUtf8(_bytes.AsSpan(0, _byteCount), out var rune, out var consumed);
            if (status == OperationStatus.NeedMoreData)
            {
                return;
            }

            consumed = status == OperationStatus.Done ? consumed : 1;
            _text.Append(status == OperationStatus.Done ? rune.ToString() : "\uFFFD");
            _bytes.AsSpan(consumed, _byteCount - consumed).CopyTo(_bytes);
            _byteCount -= consumed;
        }
    }

    private void FlushBytes()
    {
        _text.Append('\uFFFD', _byteCount);
        _byteCount = 0;
    }
}
