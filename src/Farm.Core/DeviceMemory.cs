namespace Farm.Core;

/// <summary>A block of a backend's memory, freed by <see cref="Dispose()"/> and by nothing else.</summary>
public abstract class DeviceMemory : IDisposable
{
    /// <summary>Creates the owner of a block.</summary>
    protected DeviceMemory(nint address, long bytes)
    {
        Address = address;
        Bytes = bytes;
    }

    /// <summary>First byte, aligned to 64.</summary>
    public nint Address { get; private set; }

    /// <summary>Size in bytes.</summary>
    public long Bytes { get; }

    /// <summary>A contiguous tensor at <paramref name="offset"/> bytes into the block.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The tensor would leave the block.</exception>
    public Tensor Tensor(DType type, int rows, int columns, long offset = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + ((long)rows * columns * type.Size()), Bytes, nameof(offset));
        return new Tensor(Address + (nint)offset, type, rows, columns, columns);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Address != 0)
        {
            Free();
            Address = 0;
        }

        GC.SuppressFinalize(this);
    }

    /// <summary>Gives the block back; called once.</summary>
    protected abstract void Free();
}
