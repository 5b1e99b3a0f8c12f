namespace Farm.Core;

/// <summary>A backend whose tensors lie in memory of its own, apart from the host's.</summary>
public interface IMemoryLimits
{
    /// <summary>Bytes that may still be allocated now.</summary>
    long FreeBytes { get; }

    /// <summary>Bytes that the device has.</summary>
    long TotalBytes { get; }
}
