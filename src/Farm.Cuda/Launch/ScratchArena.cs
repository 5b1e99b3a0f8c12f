using Farm.Cuda.Driver;

namespace Farm.Cuda.Launch;

/// <summary>
/// Device memory for what an operation's kernels hand each other. It is cut anew by every operation: the stream runs in order, so the next
/// operation's kernels start when the last one's have read what they need. Equal calls get equal addresses, which lets graphs be replayed.
/// </summary>
internal sealed class ScratchArena(CudaDevice device, CommandQueue queue) : IDisposable
{
    private const long Alignment = 256;
    private readonly List<CudaMemory> _blocks = [];
    private int _at;
    private long _used, _taken, _most;

    /// <summary>Bytes held.</summary>
    internal long Bytes => _blocks.Sum(b => b.Bytes);

    /// <summary>Whether operations are only measured: what is taken has no memory behind it, and nothing may be launched.</summary>
    internal bool Measures { get; private set; }

    /// <summary>The most that an operation took while it was last measured.</summary>
    internal long Measured { get; private set; }

    /// <summary>From here on operations are measured.</summary>
    internal void BeginMeasuring() => (Measures, _taken, Measured) = (true, 0, 0);

    /// <summary>Operations run again.</summary>
    internal void EndMeasuring() => (Measures, _at, _used, _taken) = (false, 0, 0, 0);

    /// <summary>Holds one block of at least so many bytes from now on.</summary>
    internal void Reserve(long bytes)
    {
        _most = Math.Max(_most, bytes);
        if (bytes > 0 && (_blocks.Count != 1 || _blocks[0].Bytes < bytes))
        {
            Release();
            _blocks.Add(CudaMemory.Create(device, queue, _most));
        }

        (_at, _used, _taken) = (0, 0, 0);
    }

    /// <summary>Begins an operation: everything taken before is free again.</summary>
    internal void Reset()
    {
        if (Measures)
        {
            _taken = 0;
            return;
        }

        if (_blocks.Count > 1)
        {
            // The last operation outgrew the block; from now on one block holds the most that an operation took.
            Release();
            _blocks.Add(CudaMemory.Create(device, queue, _most));
        }

        (_at, _used, _taken) = (0, 0, 0);
    }

    /// <summary>The place up to which memory is taken.</summary>
    internal (int Block, long Used, long Taken) Mark() => (_at, _used, _taken);

    /// <summary>What was taken since the mark is free again, for later launches of the same operation.</summary>
    internal void Release((int Block, long Used, long Taken) mark) => (_at, _used, _taken) = mark;

    /// <summary>Uninitialised bytes, aligned to 256, until the next operation.</summary>
    internal nint Take(long bytes)
    {
        long size = (Math.Max(bytes, 1) + Alignment - 1) / Alignment * Alignment;
        if (Measures)
        {
            _taken += size;
            Measured = Math.Max(Measured, _taken);
            return (nint)Alignment;
        }

        for (; _at < _blocks.Count && _used + size > _blocks[_at].Bytes; _at++)
        {
            _used = 0;
        }

        if (_at == _blocks.Count)
        {
            _used = 0;
            _blocks.Add(CudaMemory.Create(device, queue, Math.Max(size, 64 << 10)));
        }

        nint address = _blocks[_at].Address + (nint)_used;
        _used += size;
        _taken += size;
        _most = Math.Max(_most, _taken);
        return address;
    }

    public void Dispose() => Release();

    private void Release()
    {
        foreach (var block in _blocks)
        {
            block.Dispose();
        }

        _blocks.Clear();
    }
}
