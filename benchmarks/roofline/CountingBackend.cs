using Farm.Core;
using Farm.Cuda;
using Farm.Cuda.Driver;

namespace Farm.Roofline;

/// <summary>
/// The CUDA backend on the driver simulator, noting what each operation launches. An operation of a shape that was counted before is not run again, one of many
/// rows is run at two small numbers of them and carried on (<see cref="Extent"/>), and memory is neither filled nor loaded, so that models of their true
/// size pass through: the host commits only what a counted kernel touches.
/// </summary>
internal sealed partial class CountingBackend : ITrainingBackend
{
    /// <summary>Multiprocessors of the simulated chip: kernels and tiles are chosen as on an H100 or H200.</summary>
    internal const int Multiprocessors = 132;

    private const long SmallUpload = 1 << 20;

    // The simulator's own defaults come back with Dispose.
    private static readonly (string Name, string Counting, string Default)[] Settings =
    [
        ("CHECK", "0", "1"), ("FILL_LIMIT", "0", "268435456"), ("DEVICE_MEMORY", "429496729600", "8589934592"), ("MULTIPROCESSORS", "132", "108"),
    ];

    private readonly CudaBackend _inner;
    private readonly Dictionary<string, IReadOnlyList<LaunchCount>> _known = [];
    private readonly Dictionary<string, long> _trace = [];
    private readonly List<string> _order = [];

    /// <summary>Sets the simulator up and opens it; one to a process.</summary>
    /// <param name="bf16Activations">Activations of inference rounded to bf16.</param>
    public CountingBackend(bool bf16Activations)
    {
        CudaDriver.Use(simulator: true);
        foreach (var (name, counting, _) in Settings)
        {
            Simulator.Configure(name, counting);
        }

        _inner = new CudaBackend(simulator: true, bf16Activations: bf16Activations) { Compute = CudaCompute.BF16 };
    }

    /// <inheritdoc/>
    public string Name => _inner.Name;

    /// <summary>True while a model is loaded: nothing is noted and nothing uploaded.</summary>
    public bool Loading { get; set; }

    /// <summary>Tokens of each sequence of a training pass, so that attention can be counted on fewer of them.</summary>
    public int SequenceTokens { get; set; }

    /// <summary>Device memory that the owners of tensors hold.</summary>
    public long Allocated { get; private set; }

    /// <summary>What was launched since <see cref="Begin"/>, operations of one shape together.</summary>
    public IReadOnlyList<LaunchCount> Launches => [.. _order.SelectMany(key => _known[key].Select(l => l with { Times = l.Times * _trace[key] }))];

    /// <summary>Forgets what was launched, not what is known.</summary>
    public void Begin()
    {
        _trace.Clear();
        _order.Clear();
    }

    /// <inheritdoc/>
    public DeviceMemory Allocate(long bytes)
    {
        bytes = Math.Max(bytes, 64);
        Allocated += bytes;
        return CudaMemory.Create(_inner.Device, _inner.Queue, bytes);
    }

    /// <inheritdoc/>
    public void Upload<T>(ReadOnlySpan<T> source, Tensor destination)
        where T : unmanaged
    {
        if (!Loading && destination.Bytes <= SmallUpload)
        {
            _inner.Upload(source, destination);
        }
    }

    /// <inheritdoc/>
    public void Download<T>(Tensor source, Span<T> destination)
        where T : unmanaged
    {
        if (source.Bytes <= SmallUpload)
        {
            _inner.Download(source, destination);
        }
    }

    /// <inheritdoc/>
    public void Synchronize() => _inner.Synchronize();

    /// <inheritdoc/>
    public LinearWeight PackLinear(IReadOnlyList<IRowSource> parts, DType storage, LinearLayout layout = LinearLayout.Concatenated)
    {
        ArgumentNullException.ThrowIfNull(parts);
        int rows = layout == LinearLayout.GateUp ? parts[0].Rows : parts.Sum(p => p.Rows);
        return new CudaLinearWeight(parts[0].Columns, rows, storage, layout, bytes =>
        {
            Allocated += bytes;
            return CudaMemory.Create(_inner.Device, _inner.Queue, bytes);
        });
    }

    /// <inheritdoc/>
    public KvPool CreateKvPool(KvShape shape, int pages)
    {
        var pool = _inner.CreateKvPool(shape, pages);
        Allocated += pool.PageBytes * pages;
        return pool;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _inner.Dispose();
        foreach (var (name, _, usual) in Settings)
        {
            Simulator.Configure(name, usual);
        }
    }

    // Runs an operation of a shape that is not known yet, and notes it.
    private void Count(string op, string shape, Action run) => Count(op, Extent.Whole(0), Extent.Whole(0), shape, (_, _) => run());

    private void CountRows(string op, int rows, string shape, Action<int> run) => Count(op, Extent.Rows(rows), Extent.Whole(0), $"{rows} rows, {shape}", (n, _) => run(n));

    private void Count(string op, Extent rows, Extent columns, string shape, Action<int, int> run) => Note(op, shape, () => columns
        .Apply(n => rows.Apply(m => ByKernel(() => run(m, n))))
        .Select(k => LaunchCount.Of(op, shape, k.Key, k.Value, rows.IsScaled ? rows.More : 0, columns.IsScaled ? columns.More : 0)));

    private void Note(string op, string shape, Func<IEnumerable<LaunchCount>> count)
    {
        if (Loading)
        {
            return;
        }

        string key = op + ": " + shape;
        if (!_known.ContainsKey(key))
        {
            Console.Error.WriteLine($"  {key}");
            _known[key] = [.. count()];
        }

        if (!_trace.TryAdd(key, 1))
        {
            _trace[key]++;
            return;
        }

        _order.Add(key);
    }

    private IReadOnlyDictionary<string, SimulatorCounters> ByKernel(Action run)
    {
        _inner.Synchronize();
        Simulator.ResetCounters();
        run();
        _inner.Synchronize();
        return Simulator.Counters();
    }

    private static string Of(Tensor tensor) => tensor.IsNone ? "none" : tensor.ToString();
}
