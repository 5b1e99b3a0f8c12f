using System.Runtime.InteropServices;
using Farm.Core;

namespace Farm.Models.Checkpoints;

/// <summary>A tensor in managed memory: what a program makes and saves, or hands to code that reads checkpoints.</summary>
public sealed class MemoryTensor : ICheckpointTensor
{
    private readonly ReadOnlyMemory<byte> _data;

    /// <summary>Wraps little-endian elements, row-major.</summary>
    /// <exception cref="ArgumentException">The data are not as long as the shape says.</exception>
    public MemoryTensor(string name, DType type, IReadOnlyList<long> shape, ReadOnlyMemory<byte> data)
    {
        ArgumentNullException.ThrowIfNull(shape);
        (Name, DType, Shape, _data) = (name, type, shape, data);
        Columns = shape.Count == 0 ? 1 : checked((int)shape[^1]);
        Rows = checked((int)shape.SkipLast(1).Aggregate(1L, (a, b) => checked(a * b)));
        if (data.Length != (long)Rows * Columns * type.Size())
        {
            throw new ArgumentException($"{data.Length} bytes are not a tensor of that shape", nameof(data));
        }
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public string File => "memory";

    /// <inheritdoc/>
    public IReadOnlyList<long> Shape { get; }

    /// <inheritdoc/>
    public int Rows { get; }

    /// <inheritdoc/>
    public int Columns { get; }

    /// <inheritdoc/>
    public DType DType { get; }

    /// <summary>A copy of float32 values as a tensor.</summary>
    public static MemoryTensor FromFloats(string name, IReadOnlyList<long> shape, ReadOnlySpan<float> values) =>
        new(name, DType.F32, shape, MemoryMarshal.AsBytes(values).ToArray());

    /// <inheritdoc/>
    public void Read(int firstRow, int count, Span<byte> destination)
    {
        int rowBytes = Columns * DType.Size();
        _data.Span.Slice(firstRow * rowBytes, count * rowBytes).CopyTo(destination);
    }
}
