using System.Runtime.InteropServices;
using Farm.Core;

namespace Farm.Reference;

/// <summary>
/// Every operation of <see cref="IReinforcementBackend"/> by its formula, one row at a time, in float64: the definition of right that fast
/// backends are compared with. Operands lie in host memory in the types of the contract; values are rounded when they are stored and
/// nowhere else.
/// </summary>
public sealed partial class ReferenceBackend : IReinforcementBackend
{
    /// <inheritdoc/>
    public string Name => "reference";

    /// <summary>Bytes allocated and not yet freed; packed weights, keys and values lie elsewhere.</summary>
    public long AllocatedBytes { get; private set; }

    /// <summary>The most that there were at once.</summary>
    public long MostAllocatedBytes { get; private set; }

    /// <inheritdoc/>
    public DeviceMemory Allocate(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        var memory = HostMemory.Create(bytes, () => AllocatedBytes -= bytes);
        AllocatedBytes += bytes;
        MostAllocatedBytes = Math.Max(MostAllocatedBytes, AllocatedBytes);
        return memory;
    }

    /// <inheritdoc/>
    public void Upload<T>(ReadOnlySpan<T> source, Tensor destination)
        where T : unmanaged
    {
        CheckTransfer(nameof(Upload), destination, source.Length, Marshal.SizeOf<T>());
        Marshal.Copy(MemoryMarshal.AsBytes(source).ToArray(), 0, destination.Address, checked((int)destination.Bytes));
    }

    /// <inheritdoc/>
    public void Download<T>(Tensor source, Span<T> destination)
        where T : unmanaged
    {
        CheckTransfer(nameof(Download), source, destination.Length, Marshal.SizeOf<T>());
        var bytes = new byte[source.Bytes];
        Marshal.Copy(source.Address, bytes, 0, bytes.Length);
        bytes.CopyTo(MemoryMarshal.AsBytes(destination));
    }

    /// <inheritdoc/>
    public void Synchronize()
    {
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    private static void CheckTransfer(string operation, Tensor tensor, int count, int size)
    {
        Check.That(!tensor.IsNone, operation, "the tensor is missing");
        Check.That(tensor.IsContiguous, operation, $"{tensor} is not contiguous");
        Check.That(tensor.Count == count && tensor.DType.Size() == size, operation,
            $"{count} host elements of {size} bytes do not fit {tensor}");
    }
}
