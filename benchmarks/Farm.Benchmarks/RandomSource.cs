using System.Runtime.InteropServices;
using Farm.Core;

namespace Farm.Benchmarks;

/// <summary>Small random F32 weights, the same for the same name.</summary>
internal sealed class RandomSource(string name, int rows, int columns) : IRowSource
{
    public string Name => name;

    public int Rows => rows;

    public int Columns => columns;

    public DType DType => DType.F32;

    public void Read(int firstRow, int count, Span<byte> destination)
    {
        var values = MemoryMarshal.Cast<byte, float>(destination);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)(Philox.Uniform(1, (uint)firstRow, (uint)i, 0) - 0.5) * 0.1f;
        }
    }
}
