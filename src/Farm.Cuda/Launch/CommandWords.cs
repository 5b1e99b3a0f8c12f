namespace Farm.Cuda.Launch;

/// <summary>
/// How a command lies in a list of words. A launch: its code, kernel and number of arguments in one word, the grid in two, then a word for each argument. A copy or fill: its code, destination,
/// source (or the byte) and size, a word each.
/// </summary>
internal static class CommandWords
{
    internal const ulong Launch = 1, Upload = 2, Copy = 3, Fill = 4;

    /// <summary>Words of a copy or fill.</summary>
    internal const int CopyLength = 4;

    /// <summary>Words of a launch before its arguments.</summary>
    internal const int LaunchHead = 3;

    internal static ulong Code(ulong first) => first & 0xFF;

    internal static int LaunchLength(int arguments) => LaunchHead + arguments;

    /// <summary>Words of the command that begins with this one.</summary>
    internal static int Length(ulong first) => Code(first) == Launch ? LaunchLength(Arguments(first)) : CopyLength;

    internal static int Arguments(ulong first) => (int)(first >> 40);

    /// <summary>Place of a launch's kernel in <see cref="KernelTable.All"/>.</summary>
    internal static int Kernel(ulong first) => (int)((first >> 8) & 0xFFFFFFFF);

    internal static Grid GridOf(ReadOnlySpan<ulong> launch) => new((int)(uint)launch[1], (int)(launch[1] >> 32), (int)(uint)launch[2], (int)(launch[2] >> 32));

    internal static void WriteLaunch(Span<ulong> words, int kernel, Grid grid, ReadOnlySpan<KernelArgument> arguments)
    {
        words[0] = Launch | ((ulong)(uint)kernel << 8) | ((ulong)(uint)arguments.Length << 40);
        words[1] = (uint)grid.X | ((ulong)(uint)grid.Y << 32);
        words[2] = (uint)grid.Z | ((ulong)(uint)grid.DynamicShared << 32);
        for (int i = 0; i < arguments.Length; i++)
        {
            words[LaunchHead + i] = arguments[i].Bits;
        }
    }
}
