using Farm.Core;

namespace Farm.Inference;

/// <summary>An estimate of the memory that may still be taken.</summary>
internal static class FreeMemory
{
    /// <summary>
    /// What the device has left; on the host, what the runtime may use (a container's limit counts) less what this process holds.
    /// </summary>
    public static long Bytes(IBackend backend) => backend is IMemoryLimits device
        ? device.FreeBytes
        : Math.Max(0, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes - Environment.WorkingSet);

    /// <summary>A need in mebibytes, rounded up.</summary>
    public static long Mebibytes(long bytes) => (bytes + (1 << 20) - 1) >> 20;

    /// <summary>
    /// What generation may reserve for keys and values: all but an eighth of a device's, which holds activations and a scorer's; half of the host's, whose
    /// reserve is only an estimate.
    /// </summary>
    public static long ForKeysAndValues(IBackend backend)
    {
        long free = Bytes(backend);
        return backend is IMemoryLimits ? free - (free / 8) : free / 2;
    }
}
