using System.Diagnostics.CodeAnalysis;
using Farm.Core;

namespace Farm.Models.Checkpoints;

/// <summary>A tensor in a file: shape, folding into rows, and the checks that all layouts share.</summary>
internal abstract class FileTensor : ICheckpointTensor
{
    private readonly StoredType _type;

    /// <exception cref="BadInputException">The tensor has more rows or columns than an int counts.</exception>
    protected FileTensor(CheckpointFile source, string name, StoredType type, long[] shape)
    {
        Source = source;
        Name = name;
        _type = type;
        Shape = shape;
        long rows = 1, columns = shape.Length == 0 ? 1 : shape[^1];
        for (int i = 0; i < shape.Length - 1 && rows <= int.MaxValue; i++)
        {
            // Each factor is at least 0 and the product before it fits an int, so a factor over an int is the only way to overflow.
            rows = shape[i] > int.MaxValue ? long.MaxValue : rows * shape[i];
        }

        if (rows > int.MaxValue || columns > int.MaxValue || columns * type.Size > int.MaxValue)
        {
            throw source.Bad($"tensor '{name}' of shape {Describe(shape)} is larger than {int.MaxValue} rows or bytes of a row");
        }

        (Rows, Columns) = ((int)rows, (int)columns);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public string File => Source.Path;

    /// <inheritdoc/>
    public IReadOnlyList<long> Shape { get; }

    /// <inheritdoc/>
    public int Rows { get; }

    /// <inheritdoc/>
    public int Columns { get; }

    /// <inheritdoc/>
    public string StoredType => _type.Name;

    /// <inheritdoc/>
    [SuppressMessage("Design", "CA1065", Justification = "The user's file is at fault, and whoever asks for the type needs it as weights.")]
    public DType DType => _type.Weights
        ?? throw Source.Bad($"tensor '{Name}' is stored as {StoredType}, but weights must be F32, F16 or BF16");

    /// <summary>The file.</summary>
    protected CheckpointFile Source { get; }

    /// <summary>Bytes of an element.</summary>
    protected int ElementSize => _type.Size;

    /// <summary>A shape as messages spell it: [2048, 64].</summary>
    public static string Describe(IEnumerable<long> shape) => $"[{string.Join(", ", shape)}]";

    /// <inheritdoc/>
    public void Read(int firstRow, int count, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)firstRow + count, Rows, nameof(count));
        long bytes = (long)count * Columns * ElementSize;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, destination.Length, nameof(destination));
        if (bytes > 0)
        {
            ReadRows(firstRow, count, destination[..(int)bytes]);
        }
    }

    /// <summary>Reads a checked, non-empty range of rows into a span of exactly their size.</summary>
    protected abstract void ReadRows(int firstRow, int count, Span<byte> destination);
}

/// <summary>A tensor whose rows follow each other in the file.</summary>
internal sealed class ContiguousTensor(CheckpointFile source, string name, StoredType type, long[] shape, long offset)
    : FileTensor(source, name, type, shape)
{
    /// <inheritdoc/>
    protected override void ReadRows(int firstRow, int count, Span<byte> destination) =>
        Source.Read(offset + ((long)firstRow * Columns * ElementSize), destination);
}
