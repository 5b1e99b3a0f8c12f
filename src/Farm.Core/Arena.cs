namespace Farm.Core;

/// <summary>
/// One block from which tensors are cut one after another, so that everything a run needs is allocated up front and freed
/// together.
/// </summary>
public sealed class Arena : IDisposable
{
    private const long Alignment = 64;
    private readonly DeviceMemory _memory;

    /// <summary>Allocates <paramref name="bytes"/> on <paramref name="backend"/>.</summary>
    public Arena(IBackend backend, long bytes)
    {
        ArgumentNullException.ThrowIfNull(backend);
        _memory = backend.Allocate(Math.Max(bytes, Alignment));
    }

    /// <summary>Bytes handed out so far, padding included.</summary>
    public long Used { get; private set; }

    /// <summary>What one tensor takes of an arena.</summary>
    public static long SizeOf(DType type, long rows, long columns) =>
        ((rows * columns * type.Size()) + Alignment - 1) / Alignment * Alignment;

    /// <summary>Cuts the next tensor, aligned to 64 bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The arena is too small.</exception>
    public Tensor Take(DType type, int rows, int columns)
    {
        var tensor = _memory.Tensor(type, rows, columns, Used);
        Used += SizeOf(type, rows, columns);
        return tensor;
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();
}
