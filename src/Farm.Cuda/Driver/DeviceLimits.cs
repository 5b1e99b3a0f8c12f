namespace Farm.Cuda.Driver;

/// <summary>What a GPU has, as its driver tells; kilohertz and bits are 0 where it does not.</summary>
internal sealed record DeviceLimits(
    int Multiprocessors,
    int ThreadsPerMultiprocessor,
    int RegistersPerMultiprocessor,
    int SharedPerMultiprocessor,
    int SharedPerBlock,
    int BlocksPerMultiprocessor,
    int ClockKilohertz,
    int MemoryClockKilohertz,
    int MemoryBusBits);
