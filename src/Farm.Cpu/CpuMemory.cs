using Farm.Core;

namespace Farm.Cpu;

/// <summary>Zeroed pages from the system, touched when first written.</summary>
internal sealed class CpuMemory : DeviceMemory
{
    private CpuMemory(nint address, long bytes)
        : base(address, bytes)
    {
    }

    internal static CpuMemory Create(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        nint address = Native.farm_allocate(bytes);
        return address != 0
            ? new CpuMemory(address, bytes)
            : throw new InsufficientMemoryException($"The system has no {bytes / 1048576.0:F0} MB of memory left for a buffer.");
    }

    /// <inheritdoc/>
    protected override void Free() => Native.farm_free(Address, Bytes);
}
