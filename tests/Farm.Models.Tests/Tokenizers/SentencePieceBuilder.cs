using System.Text;

namespace Farm.Models.Tests.Tokenizers;

/// <summary>Writes small tokenizer.model files.</summary>
internal sealed class SentencePieceBuilder
{
    private readonly List<byte> _data = [];

    public const int Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6;

    public int ModelType { get; init; } = 2;

    public bool ByteFallback { get; init; }

    public bool AddDummyPrefix { get; init; } = true;

    public bool RemoveExtraWhitespaces { get; init; }

    /// <summary>Unknown, BOS and EOS as 0, 1, 2.</summary>
    public SentencePieceBuilder Basic() => Piece("<unk>", 0, Unknown).Piece("<s>", 0, Control).Piece("</s>", 0, Control);

    /// <summary>The 256 byte pieces.</summary>
    public SentencePieceBuilder Bytes()
    {
        for (var i = 0; i < 256; i++)
        {
            Piece($"<0x{i:X2}>", 0, Byte);
        }

        return this;
    }

    public SentencePieceBuilder Piece(string text, float score, int type = Normal)
    {
        using var piece = new MemoryStream();
        WriteBytes(piece, 1, Encoding.UTF8.GetBytes(text));
        piece.WriteByte((2 << 3) | 5);
        piece.Write(BitConverter.GetBytes(score));
        WriteVarint(piece, 3, type);
        using var field = new MemoryStream();
        WriteBytes(field, 1, piece.ToArray());
        _data.AddRange(field.ToArray());
        return this;
    }

    public byte[] Build()
    {
        using var trainer = new MemoryStream();
        WriteVarint(trainer, 3, ModelType);
        WriteVarint(trainer, 35, ByteFallback ? 1 : 0);
        using var normalizer = new MemoryStream();
        WriteVarint(normalizer, 3, AddDummyPrefix ? 1 : 0);
        WriteVarint(normalizer, 4, RemoveExtraWhitespaces ? 1 : 0);
        using var all = new MemoryStream();
        all.Write([.. _data]);
        WriteBytes(all, 2, trainer.ToArray());
        WriteBytes(all, 3, normalizer.ToArray());
        return all.ToArray();
    }

    private static void WriteBytes(MemoryStream to, int field, byte[] value)
    {
        Varint(to, (field << 3) | 2);
        Varint(to, value.Length);
        to.Write(value);
    }

    private static void WriteVarint(MemoryStream to, int field, int value)
    {
        Varint(to, field << 3);
        Varint(to, value);
    }

    private static void Varint(MemoryStream to, int value)
    {
        for (var rest = (uint)value; ; rest >>= 7)
        {
            to.WriteByte((byte)(rest < 0x80 ? rest : (rest & 0x7F) | 0x80));
            if (rest < 0x80)
            {
                return;
            }
        }
    }
}
