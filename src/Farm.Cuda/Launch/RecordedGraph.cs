using Farm.Cuda.Driver;

namespace Farm.Cuda.Launch;

/// <summary>A list of commands that was seen, and the graph captured from it when it came again.</summary>
internal sealed class RecordedGraph : IDisposable
{
    private ulong[] _words = [];
    private int _count;

    /// <summary>When it was last seen, in lists.</summary>
    internal long LastUse { get; set; }

    /// <summary>The captured graph; 0 until the list comes a second time.</summary>
    internal nint Executable { get; set; }

    internal bool Holds(ReadOnlySpan<ulong> list) => _count == list.Length && list.SequenceEqual(_words.AsSpan(0, _count));

    /// <summary>Forgets what it held and keeps this list.</summary>
    internal void Record(ReadOnlySpan<ulong> list)
    {
        Dispose();
        if (_words.Length < list.Length)
        {
            _words = new ulong[list.Length * 3 / 2];
        }

        list.CopyTo(_words);
        _count = list.Length;
    }

    public void Dispose()
    {
        if (Executable != 0)
        {
            _ = CudaApi.cuGraphExecDestroy(Executable);
            Executable = 0;
            Interlocked.Decrement(ref Ledger.Graphs);
        }
    }
}
