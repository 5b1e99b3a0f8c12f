using System.Runtime.InteropServices;
using Farm.Core;
using Farm.Cuda.Driver;
using Farm.Cuda.Launch;

namespace Farm.Cuda;

/// <summary>
/// The operations on an NVIDIA GPU, through its driver alone: kernels of kernels/*.cu on one stream. Operations return when they are noted;
/// <see cref="Download{T}"/> and <see cref="Synchronize"/> wait. One call at a time. Shapes are checked here, before an address reaches a kernel; ids,
/// positions, slots and pages are the caller's to keep in range.
/// </summary>
public sealed partial class CudaBackend : ITrainingBackend, IMemoryLimits
{
    private readonly CudaDevice _device;
    private readonly CommandQueue _queue;
    private readonly Staging _staging;
    private readonly ScratchArena _scratch;
    private readonly CudaMemory _rowCounters;
    private readonly CublasLt? _blas;
    private bool _disposed;

    /// <summary>Opens a GPU.</summary>
    /// <param name="ordinal">Its number, from 0.</param>
    /// <param name="simulator">Runs on the bundled driver simulator instead of a GPU.</param>
    /// <param name="bf16Activations">
    /// Rounds to bf16 what meets bf16 weights, keys or values in a product, as a model run wholly in bf16 does: a third of the tensor-core work.
    /// Otherwise such an operand enters as three terms of bf16, which hold its float32 value exactly. Sums are float32 either way.
    /// </param>
    /// <param name="cublasLt">Lets NVIDIA's cuBLASLt do the large products of <see cref="MatMul"/>; it is loaded only then.</param>
    /// <exception cref="BadInputException">There is no driver, no such GPU or no cuBLASLt, or one is too old; the message says which.</exception>
    public CudaBackend(int ordinal = 0, bool simulator = false, bool bf16Activations = false, bool cublasLt = false)
    {
        Bf16Activations = bf16Activations;
        CudaDriver.Use(simulator);
        _device = CudaDevice.Open(ordinal);
        try
        {
            _device.Enter();
            _blas = cublasLt ? CublasLt.Open() : null;
            _queue = new CommandQueue(_device);
            _rowCounters = CudaMemory.Create(_device, _queue, DenseRows.CounterBytes);
        }
        catch
        {
            _queue?.Dispose();
            _blas?.Dispose();
            _device.Dispose();
            throw;
        }

        _staging = new Staging(_device, _queue);
        _scratch = new ScratchArena(_device, _queue);
        _queue.Fill(_rowCounters.Address, 0, DenseRows.CounterBytes);
        Name = simulator ? "cuda-sim" : FormattableString.Invariant($"cuda:{ordinal}");
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>Whether operands of bf16 products are rounded to bf16.</summary>
    public bool Bf16Activations { get; }

    /// <summary>The GPU's number.</summary>
    public int Ordinal => _device.Ordinal;

    /// <summary>The GPU as its driver describes it.</summary>
    public GpuDescription Gpu => new(_device.Ordinal, _device.Name, _device.ComputeCapability.Major, _device.ComputeCapability.Minor, _device.Limits.Multiprocessors, _device.TotalBytes,
        2.0 * _device.Limits.MemoryClockKilohertz * 1000 * _device.Limits.MemoryBusBits / 8);

    /// <inheritdoc/>
    public long FreeBytes => _device.Memory().Free;

    /// <inheritdoc/>
    public long TotalBytes => _device.TotalBytes;

    /// <summary>Kernels launched since construction.</summary>
    public long Launches => Queue.Launches;

    internal CudaDevice Device => _device;

    internal CommandQueue Queue
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _queue;
        }
    }

    /// <summary>Streaming multiprocessors of the GPU: what grids that split work are sized by.</summary>
    private int Multiprocessors => _device.Limits.Multiprocessors;

    /// <inheritdoc/>
    public DeviceMemory Allocate(long bytes)
    {
        bytes = Math.Max(bytes, 64);
        var memory = CudaMemory.Create(_device, Queue, bytes);
        _queue.Fill(memory.Address, 0, bytes);
        return memory;
    }

    /// <inheritdoc/>
    public void Upload<T>(ReadOnlySpan<T> source, Tensor destination)
        where T : unmanaged
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        RequireSameSize<T>(source.Length, destination);
        if (!source.IsEmpty)
        {
            _staging.Upload(MemoryMarshal.AsBytes(source), destination.Address);
        }
    }

    /// <inheritdoc/>
    public void Download<T>(Tensor source, Span<T> destination)
        where T : unmanaged
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        RequireSameSize<T>(destination.Length, source);
        _staging.Download(source.Address, MemoryMarshal.AsBytes(destination));
    }

    /// <inheritdoc/>
    public void Synchronize()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _staging.Wait();
    }

    /// <inheritdoc/>
    public KvPool CreateKvPool(KvShape shape, int pages)
    {
        Require(shape.DType is DType.F32 or DType.BF16, "KvPool", "keys and values are F32 or BF16", nameof(shape));
        Require(shape is { Layers: > 0, KeyValueHeads: > 0, HeadDim: > 0 } && shape.HeadDim % 2 == 0 && pages >= 0, "KvPool", "sizes are positive and the head even", nameof(shape));
        return new CudaKvPool(shape, pages, CudaMemory.Create(_device, Queue, Math.Max(CudaKvPool.BytesOfPage(shape) * pages, 64)));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        try
        {
            _device.Enter();
            _staging.Wait();
        }
        catch (CudaException)
        {
            // Whoever asked for the work that failed has been told, or did not ask for its result.
        }
        finally
        {
            _attention?.Dispose();
            _blas?.Dispose();
            _scratch.Dispose();
            _rowCounters.Dispose();
            _staging.Dispose();
            _queue.Dispose();
            _device.Dispose();
        }
    }

    /// <summary>
    /// Launches a kernel: <c>Launch(InferenceKernels.RmsNorm, new Grid(rows), input, weight, output, columns, epsilon)</c>. Tensors pass their address; an
    /// argument's C# type has the parameter's size. Allocates nothing. For a decode step to be replayed as a graph, arguments and grids must not change
    /// from step to step: lengths go to the device in uploaded arrays, and grids grow by pages.
    /// </summary>
    private void Launch(Kernel kernel, Grid grid, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (!_scratch.Measures)
        {
            Queue.Launch(_device.Kernel(kernel), grid, arguments);
        }
    }

    /// <summary>
    /// Uninitialised device memory, aligned to 256 bytes, for what the kernels of one operation hand each other. An operation that uses it calls
    /// <see cref="ScratchArena.Reset"/> first.
    /// </summary>
    private nint Scratch(long bytes) => _scratch.Take(bytes);

    /// <summary>Copies a small host array to device memory in the order of the launches; the array may change at once.</summary>
    private void Stage<T>(ReadOnlySpan<T> source, nint destination)
        where T : unmanaged
    {
        if (!source.IsEmpty)
        {
            _staging.Upload(MemoryMarshal.AsBytes(source), destination);
        }
    }

    private static void RequirePool(KvPool pool, int kvHeads, int headDim, int layer, string operation)
    {
        Require(pool is CudaKvPool, operation, "the key/value pool belongs to another backend", nameof(pool));
        RequirePoolShape(pool, kvHeads, headDim, layer, operation);
    }
}
