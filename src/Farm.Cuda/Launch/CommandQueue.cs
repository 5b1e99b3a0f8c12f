using Farm.Cuda.Driver;

namespace Farm.Cuda.Launch;

/// <summary>
/// The backend's stream. Launches and copies are noted as words in a list and handed to the driver when the host wants a value, or when the list is
/// long. A list that comes a second time word for word, as a decode step's does while no page is added and no sample ends, is captured as a graph and
/// from then on replayed by one call. Without graphs every command goes to the driver at once. Nothing here allocates in the steady state.
/// </summary>
internal sealed unsafe class CommandQueue : IDisposable
{
    /// <summary>Commands after which a list is handed over, so that the device does not wait for a long host loop.</summary>
    private const int LongestList = 1024;

    /// <summary>A list of fewer launches gains nothing from a graph.</summary>
    private const int LeastGraph = 4;

    private static readonly bool SynchronousLaunches = Environment.GetEnvironmentVariable("FARM_CUDA_SYNC") == "1";

    private readonly CudaDevice _device;
    private readonly CudaStream _stream;
    private readonly bool _graphs;
    private readonly RecordedGraph[] _recorded = [new(), new(), new(), new()];
    private readonly LaunchHistory _history = new();
    private ulong[] _words = new ulong[1 << 14];
    private int _count, _commands, _launches;
    private long _clock;

    internal CommandQueue(CudaDevice device)
    {
        _device = device;
        _stream = new CudaStream();
        _graphs = CudaDriver.HasGraphs && !SynchronousLaunches;
    }

    internal CudaStream Stream => _stream;

    /// <summary>Kernels launched since construction, replayed ones counted.</summary>
    internal long Launches { get; private set; }

    /// <summary>Graphs captured since construction.</summary>
    internal long Captures { get; private set; }

    /// <summary>Lists replayed as graphs since construction.</summary>
    internal long Replays { get; private set; }

    /// <summary>Counts launches of each kernel of the table while it is set; for tests and for the counters of <c>farm bench kernels</c>.</summary>
    internal long[]? LaunchesByKernel { get; set; }

    /// <summary>Launches a kernel.</summary>
    internal void Launch(LoadedKernel kernel, Grid grid, ReadOnlySpan<KernelArgument> arguments)
    {
        kernel.Check(grid, arguments);
        if (grid.X == 0 || grid.Y == 0 || grid.Z == 0)
        {
            return;
        }

        CommandWords.WriteLaunch(Reserve(CommandWords.LaunchLength(arguments.Length)), kernel.Row.Index, grid, arguments);
        _launches++;
        Launches++;
        if (LaunchesByKernel is { } counts)
        {
            counts[kernel.Row.Index]++;
        }

        Commit();
    }

    /// <summary>Copies from pinned host memory, which must keep its bytes until <see cref="Wait"/>.</summary>
    internal void Upload(nint source, nint destination, long bytes) => Note(CommandWords.Upload, destination, source, bytes);

    /// <summary>Copies on the device.</summary>
    internal void Copy(nint source, nint destination, long bytes) => Note(CommandWords.Copy, destination, source, bytes);

    /// <summary>Sets every byte.</summary>
    internal void Fill(nint destination, byte value, long bytes) => Note(CommandWords.Fill, destination, value, bytes);

    /// <summary>Hands everything noted so far to the driver.</summary>
    internal void Flush()
    {
        if (_count == 0)
        {
            return;
        }

        _device.Enter();
        try
        {
            if (_launches >= LeastGraph && _graphs)
            {
                IssueOrReplay();
            }
            else
            {
                Issue();
            }
        }
        finally
        {
            _count = _commands = _launches = 0;
        }
    }

    /// <summary>Hands everything over and waits until it is done.</summary>
    internal void Wait()
    {
        Flush();
        _device.Enter();
        var status = CudaApi.cuStreamSynchronize(_stream.Handle);
        if (status != CudaResult.Success)
        {
            throw CudaErrors.Exception(status, $"running {_history.Describe(_device)}");
        }
    }

    /// <summary>Hands everything over and gives the stream, for a library's call that is queued behind it; such calls are not part of graphs.</summary>
    internal nint BeginCall()
    {
        Flush();
        _device.Enter();
        return _stream.Handle;
    }

    /// <summary>Ends what <see cref="BeginCall"/> began: with FARM_CUDA_SYNC=1, waits, so that a fault names the call.</summary>
    /// <param name="doing">The call in words, as "...ing ...".</param>
    internal void EndCall(string doing)
    {
        if (SynchronousLaunches)
        {
            CudaDriver.Check(CudaApi.cuStreamSynchronize(_stream.Handle), doing);
        }
    }

    public void Dispose()
    {
        foreach (var graph in _recorded)
        {
            graph.Dispose();
        }

        _stream.Dispose();
    }

    private void Note(ulong code, nint destination, nint source, long bytes)
    {
        if (bytes == 0)
        {
            return;
        }

        var words = Reserve(CommandWords.CopyLength);
        words[0] = code;
        words[1] = (ulong)destination;
        words[2] = (ulong)source;
        words[3] = (ulong)bytes;
        Commit();
    }

    private Span<ulong> Reserve(int words)
    {
        if (_count + words > _words.Length)
        {
            Array.Resize(ref _words, _words.Length * 2);
        }

        var span = _words.AsSpan(_count, words);
        _count += words;
        return span;
    }

    private void Commit()
    {
        if (++_commands >= LongestList || !_graphs)
        {
            Flush();
        }
    }

    private void IssueOrReplay()
    {
        var list = _words.AsSpan(0, _count);
        RecordedGraph oldest = _recorded[0];
        foreach (var graph in _recorded)
        {
            if (graph.Holds(list))
            {
                graph.LastUse = ++_clock;
                if (graph.Executable == 0)
                {
                    graph.Executable = Capture();
                }

                Replays++;
                Check(CudaApi.cuGraphLaunch(graph.Executable, _stream.Handle), "launching a graph of kernels", (ulong)_launches);
                _history.AddEnd(list);
                return;
            }

            oldest = graph.LastUse < oldest.LastUse ? graph : oldest;
        }

        oldest.Record(list);
        oldest.LastUse = ++_clock;
        Issue();
    }

    private nint Capture()
    {
        // 1: only this thread's unsafe calls are refused during the capture; other backends go on.
        CudaDriver.Check(CudaApi.cuStreamBeginCapture(_stream.Handle, 1), "beginning to capture a graph");
        nint graph = 0;
        try
        {
            Issue();
        }
        finally
        {
            // The capture is ended whatever happened, or the stream would stay unusable.
            var status = CudaApi.cuStreamEndCapture(_stream.Handle, out graph);
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

    private void Issue()
    {
        fixed (ulong* list = _words)
        {
            for (int at = 0; at < _count;)
            {
                ulong* words = list + at;
                switch (CommandWords.Code(words[0]))
                {
                    case CommandWords.Launch:
                        IssueLaunch(words, CommandWords.Arguments(words[0]));
                        break;
                    case CommandWords.Upload:
                        Check(CudaApi.cuMemcpyHtoDAsync((nint)words[1], (nint)words[2], (nuint)words[3], _stream.Handle), "copying to the GPU", words[3]);
                        break;
                    case CommandWords.Copy:
                        Check(CudaApi.cuMemcpyDtoDAsync((nint)words[1], (nint)words[2], (nuint)words[3], _stream.Handle), "copying on the GPU", words[3]);
                        break;
                    default:
                        Check(CudaApi.cuMemsetD8Async((nint)words[1], (byte)words[2], (nuint)words[3], _stream.Handle), "filling memory", words[3]);
                        break;
                }

                at += CommandWords.Length(words[0]);
            }
        }
    }

    private void IssueLaunch(ulong* words, int count)
    {
        var kernel = _device.Kernel(KernelTable.All[CommandWords.Kernel(words[0])]);
        var grid = CommandWords.GridOf(new ReadOnlySpan<ulong>(words, CommandWords.LaunchLength(count)));
        // The driver copies each parameter's bytes from where its pointer shows: the low bytes of a word.
        void** pointers = stackalloc void*[Math.Max(count, 1)];
        for (int i = 0; i < count; i++)
        {
            pointers[i] = words + CommandWords.LaunchHead + i;
        }

        Require(CudaApi.cuLaunchKernel(
            kernel.Function, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)kernel.Row.Threads, 1, 1, (uint)grid.DynamicShared, _stream.Handle, pointers, null));
        _history.Add(kernel.Row.Index, grid);
        if (SynchronousLaunches)
        {
            Require(CudaApi.cuStreamSynchronize(_stream.Handle));
        }

        void Require(CudaResult status)
        {
            if (status != CudaResult.Success)
            {
                throw CudaErrors.Exception(status, "launching " + kernel.Describe(grid));
            }
        }
    }

    // The words of a message are put together only when it is thrown: the token loop passes here.
    private static void Check(CudaResult status, string doing, ulong amount)
    {
        if (status != CudaResult.Success)
        {
            throw CudaErrors.Exception(status, $"{doing} ({amount})");
        }
    }
}
