using System.Runtime.InteropServices;
using Farm.Core;

namespace Farm.Cli.Kernels;

/// <summary>A bf16 matrix of numbers of about 1 / sqrt(columns), made as it is read: any row is the same whenever it is asked for.</summary>
internal sealed class RandomRows(string name, int rows, int columns, uint seed) : IRowSource
{
    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public int Rows => rows;

    /// <inheritdoc/>
    public int Columns => columns;

    /// <inheritdoc/>
    public DType DType => DType.BF16;

    /// <inheritdoc/>
    public void Read(int firstRow, int count, Span<byte> destination)
    {
        var values = MemoryMarshal.Cast<byte, ushort>(destination);
        float scale = MathF.Sqrt(3f / columns) / (1 << 23);
        for (int r = 0; r < count; r++)
        {
            uint state = (((uint)(firstRow + r) * 0x9E3779B9) ^ (seed * 0x85EBCA6B)) | 1;
            var row = values.Slice(r * columns, columns);
            for (int c = 0; c < row.Length; c++)
            {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                row[c] = (ushort)(BitConverter.SingleToUInt32Bits(((int)state >> 8) * scale) >> 16);
            }
        }
    }
}
