namespace Farm.Inference;

/// <summary>An estimate of the memory that may still be taken.</summary>
internal static class FreeMemory
{
    /// <summary>What the runtime may use (a container's limit counts) less what this process holds.</summary>
    public static long Bytes() => Math.Max(0, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes - Environment.WorkingSet);
}
