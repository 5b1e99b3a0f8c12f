using Farm.Cuda.Driver;

namespace Farm.Cuda.Launch;

/// <summary>Blocks resident on a multiprocessor at once.</summary>
/// <param name="Blocks">Number of blocks.</param>
/// <param name="Fraction">Their threads over the most that a multiprocessor holds.</param>
/// <param name="Limit">What allows no more: threads, registers, shared memory or blocks.</param>
internal readonly record struct Occupancy(int Blocks, double Fraction, string Limit)
{
    // Registers are handed to warps in lots of 256, shared memory to blocks in lots of 128 bytes with 1 KiB for the system (CUDA C++ Programming Guide,
    // compute capability 8.0 and later).
    private const int RegisterLot = 256, SharedLot = 128, SharedReserve = 1024, Warp = 32;

    internal static Occupancy Of(DeviceLimits limits, int threads, int registers, int shared)
    {
        int warps = (threads + Warp - 1) / Warp;
        int registersOfBlock = warps * (((registers * Warp) + RegisterLot - 1) / RegisterLot * RegisterLot);
        int sharedOfBlock = ((shared + SharedLot - 1) / SharedLot * SharedLot) + SharedReserve;
        int byThreads = limits.ThreadsPerMultiprocessor / (warps * Warp);
        int byRegisters = limits.RegistersPerMultiprocessor / Math.Max(registersOfBlock, 1);
        int byShared = limits.SharedPerMultiprocessor / sharedOfBlock;
        int blocks = Math.Min(Math.Min(byThreads, byRegisters), Math.Min(byShared, limits.BlocksPerMultiprocessor));
        string limit = blocks == byThreads ? "threads" : blocks == byRegisters ? "registers" : blocks == byShared ? "shared memory" : "blocks";
        return new Occupancy(blocks, (double)blocks * threads / limits.ThreadsPerMultiprocessor, limit);
    }
}
