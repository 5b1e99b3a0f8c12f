using System.Runtime.InteropServices;
using Farm.Core;

namespace Farm.Models.Checkpoints;

/// <summary>
/// A tensor of normal random values that are computed when they are read: value i of row r is a function of (seed, stream, r, i) alone, so
/// that the order of reading and the number of threads do not matter. Box-Muller over Philox blocks.
/// </summary>
internal sealed class RandomTensor(ExpectedTensor shape, DType type, ulong seed, uint stream, float deviation) : ICheckpointTensor
{
    // Rows of fewer values than this in all are not worth a second thread.
    private const int ValuesPerTask = 1 << 16;

    public string Name => shape.Name;

    public string File => "memory";

    public IReadOnlyList<long> Shape => shape.Shape;

    public int Rows { get; } = shape.Shape.Count < 2 ? 1 : checked((int)shape.Shape[0]);

    public int Columns { get; } = checked((int)shape.Shape[^1]);

    public DType DType => type;

    public void Read(int firstRow, int count, Span<byte> destination)
    {
        int rowBytes = Columns * type.Size();
        int rowsPerTask = Math.Max(1, ValuesPerTask / Columns);
        if (count <= rowsPerTask)
        {
            for (int r = 0; r < count; r++)
            {
                FillRow(firstRow + r, destination.Slice(r * rowBytes, rowBytes));
            }

            return;
        }

        // A span cannot cross into the workers, so each fills an array of its own rows and the caller copies.
        int tasks = (count + rowsPerTask - 1) / rowsPerTask;
        byte[][] parts = new byte[tasks][];
        Parallel.For(0, tasks, t =>
        {
            int first = t * rowsPerTask, rows = Math.Min(rowsPerTask, count - first);
            byte[] part = GC.AllocateUninitializedArray<byte>(rows * rowBytes);
            for (int r = 0; r < rows; r++)
            {
                FillRow(firstRow + first + r, part.AsSpan(r * rowBytes, rowBytes));
            }

            parts[t] = part;
        });
        for (int t = 0; t < tasks; t++)
        {
            parts[t].CopyTo(destination[(t * rowsPerTask * rowBytes)..]);
        }
    }

    private void FillRow(int row, Span<byte> destination)
    {
        Span<float> four = stackalloc float[4];
        var floats = MemoryMarshal.Cast<byte, float>(destination);
        var halves = MemoryMarshal.Cast<byte, ushort>(destination);
        for (int i = 0; i < Columns; i += 4)
        {
            var (x0, x1, x2, x3) = Philox.Block(seed, (uint)i / 4, (uint)row, stream, 0);
            (four[0], four[1]) = Pair(x0, x1);
            (four[2], four[3]) = Pair(x2, x3);
            for (int j = 0; j < 4 && i + j < Columns; j++)
            {
                if (type == DType.F32)
                {
                    floats[i + j] = four[j];
                }
                else
                {
                    halves[i + j] = ToBFloat16(four[j]);
                }
            }
        }
    }

    // Box and Muller, "A Note on the Generation of Random Normal Deviates", 1958. The uniforms lie in (0, 1), so the logarithm is finite.
    private (float First, float Second) Pair(uint a, uint b)
    {
        float u = ((a >> 8) + 0.5f) * (1f / (1 << 24));
        float radius = deviation * MathF.Sqrt(-2f * MathF.Log(u));
        var (sine, cosine) = MathF.SinCos((b >> 8) * (MathF.Tau / (1 << 24)));
        return (radius * cosine, radius * sine);
    }

    // Round to nearest, ties to even; the values are finite.
    private static ushort ToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }
}
