using Farm.Core;

namespace Farm.Models.Tokenizers.SentencePiece;

/// <summary>Look-ups in the pieces of a model, split as SentencePiece does into what text may become and what is reserved.</summary>
internal sealed class SentencePieceVocabulary
{
    private readonly Dictionary<string, int> _pieces = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _reserved = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _pieceLookup;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _reservedLookup;

    public SentencePieceVocabulary(SentencePieceModel model, string file)
    {
        Model = model;
        var bytes = new int[256];
        Array.Fill(bytes, -1);
        for (var id = 0; id < model.Pieces.Count; id++)
        {
            var piece = model.Pieces[id];
            var isText = piece.Type is PieceType.Normal or PieceType.UserDefined or PieceType.Unused;
            if (!(isText ? _pieces : _reserved).TryAdd(piece.Text, id))
            {
                throw new BadInputException($"{file}: piece {id} repeats the text '{piece.Text}' of an earlier piece.");
            }

            if (piece.Type == PieceType.UserDefined)
            {
                UserDefined.Add(piece.Text, id);
            }
            else if (piece.Type == PieceType.Byte)
            {
                bytes[SentencePieceModel.ByteOf(piece.Text)] = id;
            }
        }

        _pieceLookup = _pieces.GetAlternateLookup<ReadOnlySpan<char>>();
        _reservedLookup = _reserved.GetAlternateLookup<ReadOnlySpan<char>>();
        if (model.ByteFallback)
        {
            var missing = Array.IndexOf(bytes, -1);
            BytePieces = missing < 0 ? bytes : throw new BadInputException($"{file}: byte_fallback is set but the piece <0x{missing:X2}> is missing.");
        }
    }

    public SentencePieceModel Model { get; }

    /// <summary>Ids of the 256 byte pieces, null without byte fallback.</summary>
    public int[]? BytePieces { get; }

    public PrefixTrie UserDefined { get; } = new();

    /// <summary>Texts of normal, user-defined and unused pieces with their ids.</summary>
    public IReadOnlyDictionary<string, int> TextPieces => _pieces;

    public bool TryGetTextPiece(ReadOnlySpan<char> text, out int id) => _pieceLookup.TryGetValue(text, out id);

    /// <summary>Id of any piece, reserved ones first; -1 if there is none.</summary>
    public int Find(ReadOnlySpan<char> text) =>
        _reservedLookup.TryGetValue(text, out var id) || _pieceLookup.TryGetValue(text, out id) ? id : -1;

    /// <summary>Length of the user-defined symbol or else the character that starts the text.</summary>
    public int FirstSymbol(ReadOnlySpan<char> text, out bool isUserDefined)
    {
        var (length, _) = UserDefined.IsEmpty ? (0, -1) : UserDefined.Longest(text);
        isUserDefined = length > 0;
        return isUserDefined ? length : char.IsHighSurrogate(text[0]) && text.Length > 1 ? 2 : 1;
    }
}
