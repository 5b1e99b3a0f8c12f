namespace Farm.Cuda.Driver;

/// <summary>Counts driver objects made and not yet given back, so that a test can tell that nothing leaks. Nothing here is ever freed by a finalizer.</summary>
internal static class Ledger
{
    private static long _contexts, _modules, _streams, _events, _buffers, _bytes, _mostBytes, _pinned, _graphs, _libraries;

    internal static ref long Contexts => ref _contexts;

    internal static ref long Modules => ref _modules;

    internal static ref long Streams => ref _streams;

    internal static ref long Events => ref _events;

    internal static ref long Buffers => ref _buffers;

    internal static ref long Bytes => ref _bytes;

    internal static ref long Pinned => ref _pinned;

    internal static ref long Graphs => ref _graphs;

    internal static ref long Libraries => ref _libraries;

    /// <summary>The most bytes that were alive at once since <see cref="ForgetMost"/>.</summary>
    internal static long MostBytes => Interlocked.Read(ref _mostBytes);

    /// <summary>Counts bytes as alive.</summary>
    internal static void Hold(long bytes)
    {
        long now = Interlocked.Add(ref _bytes, bytes), most = Interlocked.Read(ref _mostBytes);
        while (now > most && Interlocked.CompareExchange(ref _mostBytes, now, most) is var seen && seen != most)
        {
            most = seen;
        }
    }

    /// <summary>Begins <see cref="MostBytes"/> anew with what is alive now.</summary>
    internal static void ForgetMost() => Interlocked.Exchange(ref _mostBytes, Interlocked.Read(ref _bytes));

    /// <summary>Everything alive, for comparison.</summary>
    internal static (long Contexts, long Modules, long Streams, long Events, long Buffers, long Bytes, long Pinned, long Graphs, long Libraries) Snapshot() =>
        (Interlocked.Read(ref _contexts), Interlocked.Read(ref _modules), Interlocked.Read(ref _streams), Interlocked.Read(ref _events),
            Interlocked.Read(ref _buffers), Interlocked.Read(ref _bytes), Interlocked.Read(ref _pinned), Interlocked.Read(ref _graphs), Interlocked.Read(ref _libraries));
}
