using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Farm.Annotation.Journaling;

/// <summary>What a reply is kept under: the texts of a pair in the file's order, the annotator, what it is asked, and the seed.</summary>
internal readonly record struct PairKey(UInt128 High, UInt128 Low)
{
    public static PairKey Of(string instruction, string? input, string output1, string output2, string annotator, string identity, int? seed)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[4];
        foreach (string part in (ReadOnlySpan<string>)[instruction, input ?? string.Empty, output1, output2, annotator, identity, seed is { } s ? s.ToString(System.Globalization.CultureInfo.InvariantCulture) : "None"])
        {
            // With its length before it no part can pass for the end of another.
            byte[] bytes = Encoding.UTF8.GetBytes(part);
            BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
            hash.AppendData(length);
            hash.AppendData(bytes);
        }

        byte[] digest = hash.GetHashAndReset();
        return new PairKey(BinaryPrimitives.ReadUInt128BigEndian(digest), BinaryPrimitives.ReadUInt128BigEndian(digest.AsSpan(16)));
    }

    public byte[] ToArray()
    {
        byte[] bytes = new byte[32];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, High);
        BinaryPrimitives.WriteUInt128BigEndian(bytes.AsSpan(16), Low);
        return bytes;
    }
}
