using Farm.Cuda.Driver;

namespace Farm.Cuda.Launch;

/// <summary>The newest launches of a stream: what a fault, which shows later than it happens, is likely to come from.</summary>
internal sealed class LaunchHistory
{
    // Kernel + 1, newest first; 0 where nothing was launched yet.
    private readonly (int Kernel, Grid Grid)[] _recent = new (int, Grid)[6];

    internal void Add(int kernel, Grid grid)
    {
        Array.Copy(_recent, 0, _recent, 1, _recent.Length - 1);
        _recent[0] = (kernel + 1, grid);
    }

    /// <summary>Adds the last launches of a list that was replayed as a whole.</summary>
    internal void AddEnd(ReadOnlySpan<ulong> list)
    {
        for (int at = 0; at < list.Length; at += CommandWords.Length(list[at]))
        {
            if (CommandWords.Code(list[at]) == CommandWords.Launch && list.Length - at < 400)
            {
                Add(CommandWords.Kernel(list[at]), CommandWords.GridOf(list[at..]));
            }
        }
    }

    /// <summary>The launches in words.</summary>
    internal string Describe(CudaDevice device)
    {
        string[] names = [.. _recent.Where(r => r.Kernel > 0).Select(r => device.Kernel(KernelTable.All[r.Kernel - 1]).Describe(r.Grid))];
        return names.Length == 0 ? "the copies of a stream" : $"one of the last launches, newest first: {string.Join("; ", names)}";
    }
}
