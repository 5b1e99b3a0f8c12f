using System.Runtime.InteropServices;
using Farm.Core;
using Farm.Models.Checkpoints;

namespace Farm.Models.Llama;

/// <summary>Brings an embedding to the device as it is, row-major and not packed.</summary>
internal static class EmbeddingTable
{
    private const int BlockBytes = 1 << 22;

    /// <summary>Copies the tensor to <paramref name="destination"/> (F32 or BF16, rounded to nearest even) in blocks of whole rows.</summary>
    /// <exception cref="BadInputException">A value is NaN or infinite.</exception>
    public static void Upload(IBackend backend, ICheckpointTensor source, Tensor destination)
    {
        int block = Math.Clamp(BlockBytes / (source.Columns * sizeof(float)), 1, Math.Max(source.Rows, 1));
        var values = new float[block * source.Columns];
        var narrow = destination.DType == DType.BF16 ? new ushort[values.Length] : [];
        for (int first = 0; first < source.Rows; first += block)
        {
            int rows = Math.Min(block, source.Rows - first), count = rows * source.Columns;
            source.ReadFloats(first, rows, values);
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
