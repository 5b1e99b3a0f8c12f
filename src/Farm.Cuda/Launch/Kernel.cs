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
internal sealed record LoadedKernel(Kernel Row, Ptx.PtxEntry Entry, nint Function)
{
    /// <summary>Refuses a launch that the kernel's declaration and its row of the table do not allow.</summary>
    /// <exception cref="InvalidOperationException">The arguments' sizes or the grid do not fit: an error of the caller.</exception>
    internal void Check(Grid grid, ReadOnlySpan<KernelArgument> arguments)
    {
        byte[] sizes = Entry.ParameterBytes;
        bool fits = sizes.Length == arguments.Length;
        for (int i = 0; fits && i < sizes.Length; i++)
        {
            fits = sizes[i] == arguments[i].Size;
        }

        if (!fits)
        {
            throw new InvalidOperationException($"{Row.Name} takes arguments of ({string.Join(", ", sizes)}) bytes, given were ({string.Join(", ", arguments.ToArray().Select(a => a.Size))}).");
        }

        if (grid.X < 0 || (uint)grid.Y > 65535 || (uint)grid.Z > 65535 || (uint)grid.DynamicShared > Row.MaxDynamicShared)
        {
            throw new InvalidOperationException(
                $"{Row.Name} cannot be launched with a grid of {grid}: y and z go to 65535, and the kernel table allows {Row.MaxDynamicShared} bytes of dynamic shared memory.");
        }
    }

    /// <summary>A launch in words, for messages.</summary>
    internal string Describe(Grid grid) =>
        $"{Row.Name} of {Row.Module}.cu on a grid of {grid}, {Row.Threads} threads a block, arguments of ({string.Join(", ", Entry.ParameterBytes)}) bytes";
}
