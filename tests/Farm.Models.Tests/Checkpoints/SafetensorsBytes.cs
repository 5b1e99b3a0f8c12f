using System.Buffers.Binary;
using System.Text;

namespace Farm.Models.Tests.Checkpoints;

/// <summary>Builds safetensors files byte by byte, valid or not.</summary>
internal static class SafetensorsBytes
{
    /// <summary>Two tensors: "a" F32 [2, 3] of 0..5 and "b" BF16 [4] of 1, 2, 3, 4, after metadata.</summary>
    public const string ValidHeader =
        """{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]}}""";

    public static readonly byte[] ValidData = MakeData();

    public static byte[] Valid => Build(ValidHeader, ValidData);

    public static byte[] Build(string header, byte[] data, ulong? headerLength = null)
    {
        byte[] text = Encoding.UTF8.GetBytes(header);
        byte[] file = new byte[8 + text.Length + data.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(file, headerLength ?? (ulong)text.Length);
        text.CopyTo(file, 8);
        data.CopyTo(file, 8 + text.Length);
        return file;
    }

    private static byte[] MakeData()
    {
        byte[] data = new byte[32];
        for (int i = 0; i < 6; i++)
        {
            BinaryPrimitives.WriteSingleLittleEndian(data.AsSpan(i * 4), i);
        }

        for (int i = 0; i < 4; i++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(24 + (i * 2)), (ushort)(BitConverter.SingleToUInt32Bits(i + 1) >> 16));
        }

        return data;
    }
}
