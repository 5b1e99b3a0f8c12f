using Farm.Cuda.Driver;

namespace Farm.Cuda.Launch;

/// <summary>
/// The backend's stream. Launches and copies are noted as words in a list and handed to the driver when the host wants a value, or when the list is
/// long. A list that comes again is replayed as a graph. Without graphs every command goes to the driver at once.
/// Nothing here allocates in the steady state.
/// </summary>
internal sealed class CommandQueue : IDisposable
{
    /// <summary>Commands after which a list is handed over, so that the device does not wait for a long host loop.</summary>
    private const int LongestList = 1024;

    /// <summary>A list of fewer launches gains nothing from a graph.</summary>
    private const int LeastGraph = 4;

    private readonly CudaDevice _device;
    private readonly CudaStream _stream;
    private readonly CommandIssuer _issuer;
    private readonly GraphCache? _graphs;
    private ulong[] _words = new ulong[1 << 14];
    private int _count, _commands, _launches;

    internal CommandQueue(CudaDevice device)
    {
        _device = device;
        _stream = new CudaStream();
        _issuer = new CommandIssuer(device, _stream);
        _graphs = CudaDriver.HasGraphs && !CommandIssuer.Synchronous ? new GraphCache(_stream, _issuer) : null;
    }

    internal CudaStream Stream => _stream;

    /// <summary>Kernels launched since construction, replayed ones counted.</summary>
    internal long Launches { get; private set; }

    /// <summary>Graphs captured since construction.</summary>
    internal long Captures => _graphs?.Captures ?? 0;

    /// <summary>Lists replayed as graphs since construction.</summary>
    internal long Replays => _graphs?.Replays ?? 0;

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
            var list = _words.AsSpan(0, _count);
            if (_launches >= LeastGraph && _graphs is { } graphs)
            {
                graphs.Run(list, _launches);
            }
            else
            {
                _issuer.Issue(list);
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
            throw CudaErrors.Exception(status, $"running {_issuer.History.Describe(_device)}");
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
        if (CommandIssuer.Synchronous)
        {
            CudaDriver.Check(CudaApi.cuStreamSynchronize(_stream.Handle), doing);
        }
    }

    public void Dispose()
    {
        _graphs?.Dispose();
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
        if (++_commands >= LongestList || _graphs is null)
        {
            Flush();
        }
    }
}
