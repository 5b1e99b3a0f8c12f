namespace Farm.Core;

/// <summary>
/// A row-major matrix in a backend's memory: <c>[Rows, Columns]</c>, consecutive rows <see cref="Stride"/> elements apart.
/// It is a view and owns nothing; <see cref="DeviceMemory"/> owns. A vector is one row.
/// </summary>
/// <param name="Address">Address of element (0, 0): a host pointer or a device pointer, as the backend has it; 0 for "none".</param>
/// <param name="DType">Element type.</param>
/// <param name="Rows">Number of rows, at least 0.</param>
/// <param name="Columns">Number of columns, at least 0.</param>
/// <param name="Stride">Elements from one row to the next, at least <paramref name="Columns"/>.</param>
public readonly record struct Tensor(nint Address, DType DType, int Rows, int Columns, int Stride)
{
    /// <summary>True for the absent tensor (an optional operand left out).</summary>
    public bool IsNone => Address == 0;

    /// <summary>True when rows follow each other without a gap.</summary>
    public bool IsContiguous => Stride == Columns || Rows <= 1;

    /// <summary>Number of elements.</summary>
    public long Count => (long)Rows * Columns;

    /// <summary>Bytes from the first to past the last element of a contiguous tensor.</summary>
    public long Bytes => Count * DType.Size();

    /// <summary>Rows <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the tensor.</exception>
    public Tensor SliceRows(int first, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first + (long)count, Rows, nameof(count));
        return this with { Address = Address + (nint)((long)first * Stride * DType.Size()), Rows = count };
    }

    /// <summary>Columns <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/>, keeping the stride.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the tensor.</exception>
    public Tensor SliceColumns(int first, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first + (long)count, Columns, nameof(count));
        return this with { Address = Address + (nint)((long)first * DType.Size()), Columns = count };
    }

    /// <inheritdoc/>
    public override string ToString() => IsNone ? "none" : $"{DType.Name()}[{Rows}, {Columns}]";
}
