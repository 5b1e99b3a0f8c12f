using Farm.Core;

namespace Farm.Cpu;

/// <summary>
/// The operations on the CPU: SIMD kernels of native/cpu on a persistent thread pool. One call at a time; operations are done when they return.
/// Shapes are checked here, before an address reaches a kernel; ids, positions, slots and pages are the caller's to keep in range.
/// </summary>
public sealed unsafe partial class CpuBackend : IReinforcementBackend
{
    private nint _context;

    /// <summary>Starts a backend with so many threads, the caller's among them, at a SIMD level (the best one by default).</summary>
    /// <exception cref="BadInputException">The CPU lacks the level, or the number of threads is not positive.</exception>
    /// <param name="threads">Threads of the pool, the caller's among them.</param>
    /// <param name="level">SIMD level; null for the best one.</param>
    /// <param name="bf16Activations">
    /// Rounds the activations of bf16 weights to bf16 as well, as a model run wholly in bf16 does, and uses the CPU's bf16 dot products at twice
    /// the float32 rate; needs <see cref="SimdLevel.Avx512Bf16"/>. Sums stay float32.
    /// </param>
    public CpuBackend(int threads, SimdLevel? level = null, bool bf16Activations = false)
    {
        int abi = Native.farm_abi_version();
        if (abi != Native.AbiVersion)
        {
            throw new InvalidOperationException($"libfarm_native has ABI version {abi}, this build of Farm.Cpu needs {Native.AbiVersion}; build both together.");
        }

        if (threads < 1)
        {
            throw new BadInputException($"--threads must be at least 1, not {threads}.");
        }

        if (level is { } asked && !Supports(asked))
        {
            throw new BadInputException($"This CPU or this build has no {asked} kernels; the best here is {BestLevel}.");
        }

        Level = level ?? BestLevel;
        Bf16Activations = bf16Activations;
        if (bf16Activations && Level < SimdLevel.Avx512Bf16)
        {
            throw new BadInputException("bf16 activations need a CPU with AVX512_BF16, which this one or the chosen SIMD level lacks.");
        }

        Threads = threads;
        Check(Native.farm_create(threads, (int)Level, out _context));
    }

    /// <summary>The best level of this CPU and build.</summary>
    public static SimdLevel BestLevel => (SimdLevel)Native.farm_best_level();

    /// <inheritdoc/>
    public string Name => "cpu";

    /// <summary>Number of threads.</summary>
    public int Threads { get; }

    /// <summary>The level whose kernels run.</summary>
    public SimdLevel Level { get; }

    /// <summary>Whether activations of bf16 weights are rounded to bf16.</summary>
    public bool Bf16Activations { get; }

    private nint Context
    {
        get
        {
            ObjectDisposedException.ThrowIf(_context == 0, this);
            return _context;
        }
    }

    /// <summary>Whether this CPU and this build have the level; each has all below it.</summary>
    public static bool Supports(SimdLevel level) => level >= SimdLevel.Portable && level <= BestLevel;

    /// <summary>Measures bandwidth and arithmetic peaks for about a second.</summary>
    public MachineLimits Measure() => new(Native.farm_measure(Context, 0), Native.farm_measure(Context, 1), Native.farm_measure(Context, 2), Native.farm_measure(Context, 3));

    /// <inheritdoc/>
    public DeviceMemory Allocate(long bytes) => CpuMemory.Create(Math.Max(bytes, 64));

    /// <inheritdoc/>
    public void Upload<T>(ReadOnlySpan<T> source, Tensor destination)
        where T : unmanaged
    {
        RequireSameSize<T>(source.Length, destination);
        source.CopyTo(new Span<T>((void*)destination.Address, source.Length));
    }

    /// <inheritdoc/>
    public void Download<T>(Tensor source, Span<T> destination)
        where T : unmanaged
    {
        RequireSameSize<T>(destination.Length, source);
        new ReadOnlySpan<T>((void*)source.Address, destination.Length).CopyTo(destination);
    }

    /// <inheritdoc/>
    public void Synchronize()
    {
    }

    /// <inheritdoc/>
    public KvPool CreateKvPool(KvShape shape, int pages)
    {
        Require(shape.DType is DType.F32 or DType.BF16, "KvPool", "keys and values are F32 or BF16", nameof(shape));
        Require(shape is { Layers: > 0, KeyValueHeads: > 0, HeadDim: > 0 } && shape.HeadDim % 2 == 0 && pages >= 0, "KvPool", "sizes are positive and the head even", nameof(shape));
        return new CpuKvPool(shape, pages);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_context != 0)
        {
            Native.farm_destroy(_context);
            _context = 0;
        }
    }

    private static void Check(int status)
    {
        switch (status)
        {
            case 0: return;
            case 1: throw new InsufficientMemoryException("The system has no memory left for the CPU kernels' scratch buffers.");
            default: throw new InvalidOperationException($"A CPU kernel refused its arguments (code {status}).");
        }
    }
}
