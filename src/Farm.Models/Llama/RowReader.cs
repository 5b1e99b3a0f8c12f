using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Farm.Core;

namespace Farm.Models.Llama;

/// <summary>Reads rows of a checkpoint tensor as float32 or bfloat16, for the tensors that are stored as they are and not packed.</summary>
internal static class RowReader
{
    private const int BlockBytes = 1 << 22;

    /// <summary>The whole tensor as float32.</summary>
    /// <exception cref="BadInputException">A value is NaN or infinite.</exception>
    public static float[] ReadAll(IRowSource source)
    {
        var values = new float[checked(source.Rows * source.Columns)];
        var bytes = new byte[(long)values.Length * source.DType.Size()];
        source.Read(0, source.Rows, bytes);
        Widen(source, 0, bytes, values);
        return values;
    }

    /// <summary>Copies the tensor to <paramref name="destination"/> (F32 or BF16) in blocks of whole rows.</summary>
    /// <exception cref="BadInputException">A value is NaN or infinite.</exception>
    public static void Upload(IBackend backend, IRowSource source, Tensor destination)
    {
        int block = Math.Clamp(BlockBytes / (source.Columns * sizeof(float)), 1, Math.Max(source.Rows, 1));
        var bytes = new byte[block * source.Columns * source.DType.Size()];
        var values = new float[block * source.Columns];
        var narrow = destination.DType == DType.BF16 ? new ushort[values.Length] : [];
        for (int first = 0; first < source.Rows; first += block)
        {
            int rows = Math.Min(block, source.Rows - first), count = rows * source.Columns;
            source.Read(first, rows, bytes.AsSpan(0, count * source.DType.Size()));
            Widen(source, first, bytes.AsSpan(0, count * source.DType.Size()), values.AsSpan(0, count));
            if (destination.DType == DType.BF16)
            {
                Narrow(values.AsSpan(0, count), narrow);
                backend.Upload<ushort>(narrow.AsSpan(0, count), destination.SliceRows(first, rows));
            }
            else
            {
                backend.Upload<float>(values.AsSpan(0, count), destination.SliceRows(first, rows));
            }
        }
    }

    private static void Widen(IRowSource source, int firstRow, ReadOnlySpan<byte> bytes, Span<float> values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            float value = source.DType switch
            {
                DType.F32 => BinaryPrimitives.ReadSingleLittleEndian(bytes[(i * 4)..]),
                DType.F16 => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes[(i * 2)..]),
                DType.BF16 => BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(bytes[(i * 2)..]) << 16),
                _ => throw new ArgumentException($"{source.Name} is {source.DType.Name()}; weights are F32, F16 or BF16.", nameof(source)),
            };
            if (!float.IsFinite(value))
            {
                throw new BadInputException($"{source.Name} holds {value} in row {firstRow + (i / source.Columns)}; the weights are damaged.");
            }

            values[i] = value;
        }
    }

    private static void Narrow(ReadOnlySpan<float> values, Span<ushort> narrow)
    {
        ReadOnlySpan<uint> bits = MemoryMarshal.Cast<float, uint>(values);
        for (int i = 0; i < bits.Length; i++)
        {
            // Round to nearest even: half of the last kept place, less one unless that place is odd.
            narrow[i] = (ushort)((bits[i] + 0x7FFF + ((bits[i] >> 16) & 1)) >> 16);
        }
    }
}
