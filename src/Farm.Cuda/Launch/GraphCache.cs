using Farm.Cuda.Driver;

namespace Farm.Cuda.Launch;

/// <summary>
/// Graphs of lists of commands. A list that comes a second time word for word, as a decode step's does while no page is added and no sample ends, is captured and from then on replayed by one call. The list that was not seen for
/// longest makes room for a new one.
/// </summary>
internal sealed class GraphCache(CudaStream stream, CommandIssuer issuer) : IDisposable
{
    private readonly RecordedGraph[] _recorded = [new(), new(), new(), new()];
    private long _clock;

    /// <summary>Graphs captured since construction.</summary>
    internal long Captures { get; private set; }

    /// <summary>Lists replayed as graphs since construction.</summary>
    internal long Replays { get; private set; }

    /// <summary>Issues a list, or replays the graph that was captured from it.</summary>
    /// <param name="list">The commands.</param>
    /// <param name="launches">How many of them are launches, for messages.</param>
    internal void Run(ReadOnlySpan<ulong> list, int launches)
    {
        RecordedGraph oldest = _recorded[0];
        foreach (var graph in _recorded)
        {
            if (graph.Holds(list))
            {
                graph.LastUse = ++_clock;
                if (graph.Executable == 0)
                {
                    graph.Executable = Capture(list);
                }

                Replays++;
                CommandIssuer.Check(CudaApi.cuGraphLaunch(graph.Executable, stream.Handle), "launching a graph of kernels", (ulong)launches);
                issuer.History.AddEnd(list);
                return;
            }

            oldest = graph.LastUse < oldest.LastUse ? graph : oldest;
        }

        oldest.Record(list);
        oldest.LastUse = ++_clock;
        issuer.Issue(list);
    }

    public void Dispose()
    {
        foreach (var graph in _recorded)
        {
            graph.Dispose();
        }
    }

    private nint Capture(ReadOnlySpan<ulong> list)
    {
        // 1: only this thread's unsafe calls are refused during the capture; other backends go on.
        CudaDriver.Check(CudaApi.cuStreamBeginCapture(stream.Handle, 1), "beginning to capture a graph");
        nint graph = 0;
        try
        {
            issuer.Issue(list);
        }
        finally
        {
            // The capture is ended whatever happened, or the stream would stay unusable.
            var status = CudaApi.cuStreamEndCapture(stream.Handle, out graph);
            CudaDriver.Check(status, "capturing a graph");
        }

        try
        {
            CudaDriver.Check(CudaApi.cuGraphInstantiateWithFlags(out nint executable, graph, 0), "preparing a graph");
            Interlocked.Increment(ref Ledger.Graphs);
            Captures++;
            return executable;
        }
        finally
        {
            _ = CudaApi.cuGraphDestroy(graph);
        }
    }
}
