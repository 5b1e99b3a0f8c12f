using Farm.Cuda.Driver;

namespace Farm.Cuda.Launch;

/// <summary>A row of the kernel table: how one kernel is launched.</summary>
/// <param name="Module">The .cu file's name without its ending.</param>
/// <param name="Name">Name of the entry.</param>
/// <param name="Threads">Threads of a block.</param>
/// <param name="Grid">The grid, in words: what a block computes and so how many there are.</param>
/// <param name="StaticShared">Bytes of static shared memory of a block.</param>
/// <param name="MaxDynamicShared">Most bytes of dynamic shared memory that a launch asks for.</param>
/// <param name="Registers">Registers of a thread that the occupancy is computed with; what the driver's compiler takes is known only on a GPU.</param>
internal sealed record Kernel(string Module, string Name, int Threads, string Grid, int StaticShared = 0, int MaxDynamicShared = 0, int Registers = 64)
{
    /// <summary>Place in <see cref="KernelTable.All"/>.</summary>
    internal int Index { get; set; } = -1;

    /// <summary>Blocks that a multiprocessor holds at once with so much dynamic shared memory, and what limits them.</summary>
    internal Occupancy OccupancyOn(DeviceLimits limits, int dynamicShared) =>
        Occupancy.Of(limits, Threads, Registers, StaticShared + dynamicShared);
}

/// <summary>A kernel in a device's context.</summary>
/// <param name="Row">Its row of the table.</param>
/// <param name="Entry">Its declaration in the PTX.</param>
/// <param name="Function">The driver's handle.</param>
internal sealed record LoadedKernel(Kernel Row, Ptx.PtxEntry Entry, nint Function);
