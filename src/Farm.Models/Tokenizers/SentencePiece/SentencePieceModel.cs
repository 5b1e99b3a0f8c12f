using System.Text;
using Farm.Core;

namespace Farm.Models.Tokenizers.SentencePiece;

/// <summary>Kinds of vocabulary entries, with the numbers of <c>sentencepiece_model.proto</c>.</summary>
internal enum PieceType
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>One vocabulary entry.</summary>
internal readonly record struct Piece(string Text, float Score, PieceType Type);

/// <summary>
/// The content of a <c>tokenizer.model</c>, field numbers as in SentencePiece's <c>sentencepiece_model.proto</c>: the vocabulary and
/// the parts of the trainer and normaliser specifications that encoding and decoding depend on.
/// </summary>
internal sealed class SentencePieceModel
{
    private static readonly UTF8Encoding s_strict = new(false, throwOnInvalidBytes: true);

    public List<Piece> Pieces { get; } = [];

    /// <summary>1 unigram, 2 BPE, 3 word, 4 character.</summary>
    public int ModelType { get; private set; } = 1;

    public bool ByteFallback { get; private set; }

    public bool WhitespaceAsSuffix { get; private set; }

    public int UnknownId { get; private set; }

    public int BosId { get; private set; } = 1;

    public int EosId { get; private set; } = 2;

    public int PadId { get; private set; } = -1;

    public byte[] CharsMap { get; private set; } = [];

    public bool AddDummyPrefix { get; private set; } = true;

    public bool RemoveExtraWhitespaces { get; private set; } = true;

    public bool EscapeWhitespaces { get; private set; } = true;

    /// <summary>Parses the bytes of a model file; <paramref name="file"/> names it in errors.</summary>
    public static SentencePieceModel Parse(ReadOnlySpan<byte> data, string file)
    {
        var model = new SentencePieceModel();
        try
        {
            model.ReadModel(data);
        }
        catch (Exception e) when (e is FormatException or DecoderFallbackException)
        {
            throw new BadInputException($"{file} is not a SentencePiece model: {e.Message}.", e);
        }

        model.Check(file);
        return model;
    }

    private void ReadModel(ReadOnlySpan<byte> data)
    {
        var reader = new ProtoReader(data);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    Pieces.Add(ReadPiece(reader.Bytes()));
                    break;
                case 2:
                    ReadTrainer(reader.Bytes());
                    break;
                case 3:
                    ReadNormalizer(reader.Bytes());
                    break;
                case 5:
                    RefuseDenormalizer(reader.Bytes());
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
    }

    private static Piece ReadPiece(ReadOnlySpan<byte> data)
    {
        var (text, score, type) = (string.Empty, 0f, PieceType.Normal);
        var reader = new ProtoReader(data);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    text = s_strict.GetString(reader.Bytes());
                    break;
                case 2:
                    score = reader.Single();
                    break;
                case 3:
                    type = (PieceType)reader.Int32();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        return new Piece(text, score, type);
    }

    private void ReadTrainer(ReadOnlySpan<byte> data)
    {
        var reader = new ProtoReader(data);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 3:
                    ModelType = reader.Int32();
                    break;
                case 24:
                    WhitespaceAsSuffix = reader.Bool();
                    break;
                case 35:
                    ByteFallback = reader.Bool();
                    break;
                case 41:
                    BosId = reader.Int32();
                    break;
                case 42:
                    EosId = reader.Int32();
                    break;
                case 43:
                    PadId = reader.Int32();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
    }

    private void ReadNormalizer(ReadOnlySpan<byte> data)
    {
        var reader = new ProtoReader(data);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 2:
                    CharsMap = reader.Bytes().ToArray();
                    break;
                case 3:
                    AddDummyPrefix = reader.Bool();
                    break;
                case 4:
                    RemoveExtraWhitespaces = reader.Bool();
                    break;
                case 5:
                    EscapeWhitespaces = reader.Bool();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
    }

    private static void RefuseDenormalizer(ReadOnlySpan<byte> data)
    {
        var reader = new ProtoReader(data);
        while (reader.Next())
        {
            if (reader.Field == 2 && !reader.Bytes().IsEmpty)
            {
                throw new FormatException("denormalizer_spec.precompiled_charsmap is set, which is not supported");
            }
            else if (reader.Field != 2)
            {
                reader.Skip();
            }
        }
    }

    private void Check(string file)
    {
        if (Pieces.Count == 0)
        {
            throw new BadInputException($"{file} has no pieces, so it is not a SentencePiece model.");
        }

        if (ModelType is not (1 or 2))
        {
            var name = ModelType switch { 3 => "word", 4 => "char", _ => ModelType.ToString(System.Globalization.CultureInfo.InvariantCulture) };
            throw new BadInputException($"{file}: trainer_spec.model_type is {name}; only unigram and bpe are supported.");
        }

        var unknown = -1;
        for (var id = 0; id < Pieces.Count; id++)
        {
            var piece = Pieces[id];
            var fault = piece switch
            {
                { Text.Length: 0 } => "is empty",
                { Type: < PieceType.Normal or > PieceType.Byte } => $"has the unknown type {(int)piece.Type}",
                _ when !float.IsFinite(piece.Score) => "has a score that is not finite",
                { Type: PieceType.Unknown } when unknown >= 0 => $"is a second unknown piece beside {unknown}",
                { Type: PieceType.Byte } when ByteOf(piece.Text) < 0 => "is a byte piece but not written like <0x0A>",
                _ => null,
            };
            if (fault is not null)
            {
                throw new BadInputException($"{file}: piece {id} {fault}.");
            }

            unknown = piece.Type == PieceType.Unknown ? id : unknown;
        }

        UnknownId = unknown >= 0 ? unknown : throw new BadInputException($"{file} has no piece of type unknown.");
    }

    /// <summary>The value of a byte piece such as <c>&lt;0x0A&gt;</c>, -1 for any other text.</summary>
    public static int ByteOf(ReadOnlySpan<char> text) =>
        text.Length == 6 && text.StartsWith("<0x", StringComparison.Ordinal) && text[5] == '>' && char.IsAsciiHexDigit(text[3]) && char.IsAsciiHexDigit(text[4])
            ? Convert.ToInt32(text[3..5].ToString(), 16)
            : -1;
}
