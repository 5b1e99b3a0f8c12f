namespace Farm.Cuda;

/// <summary>What a GPU is.</summary>
/// <param name="Ordinal">Its number.</param>
/// <param name="Name">The maker's name for it.</param>
/// <param name="Major">Compute capability before the dot.</param>
/// <param name="Minor">Compute capability after the dot.</param>
/// <param name="Multiprocessors">Streaming multiprocessors.</param>
/// <param name="MemoryBytes">Memory.</param>
/// <param name="MemoryBytesPerSecond">Peak of the memory by the driver's clock and bus width; 0 where it does not tell them.</param>
public sealed record GpuDescription(int Ordinal, string Name, int Major, int Minor, int Multiprocessors, long MemoryBytes, double MemoryBytesPerSecond)
{
    /// <summary>Data-sheet peaks of this chip, null for chips that are not listed.</summary>
    public GpuPeaks? Peaks => GpuPeaks.Of(Name);
}
