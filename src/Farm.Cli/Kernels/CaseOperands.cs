using Farm.Core;

namespace Farm.Cli.Kernels;

/// <summary>Operands of a case on one backend, of the same numbers on every backend; owns them.</summary>
internal sealed class CaseOperands(ITrainingBackend backend) : IDisposable
{
    private readonly List<IDisposable> _owned = [];
    private uint _state = 0x2545F491;

    /// <summary>The backend.</summary>
    public ITrainingBackend Backend { get; } = backend;

    /// <summary>Uniform numbers within <paramref name="magnitude"/>.</summary>
    public Tensor Real(int rows, int columns, float magnitude = 1f)
    {
        var values = new float[(long)rows * columns];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = magnitude * Next();
        }

        var tensor = Take(DType.F32, rows, columns);
        Backend.Upload<float>(values, tensor);
        return tensor;
    }

    /// <summary>A tensor of zeros.</summary>
    public Tensor Zero(int rows, int columns, DType type = DType.F32) => Take(type, rows, columns);

    /// <summary>Integers computed from their place.</summary>
    public Tensor Ints(int rows, int columns, Func<int, int> value)
    {
        int[] values = [.. Enumerable.Range(0, rows * columns).Select(value)];
        var tensor = Take(DType.I32, rows, columns);
        Backend.Upload<int>(values, tensor);
        return tensor;
    }

    /// <summary>A packed weight of numbers of about 1 / sqrt(columns).</summary>
    public LinearWeight Weight(int rows, int columns, DType storage, LinearLayout layout = LinearLayout.Concatenated)
    {
        IRowSource[] parts = layout == LinearLayout.GateUp
            ? [new RandomRows("gate", rows, columns, 1), new RandomRows("up", rows, columns, 2)]
            : [new RandomRows("weight", rows, columns, 3)];
        var weight = Backend.PackLinear(parts, storage, layout);
        _owned.Add(weight);
        return weight;
    }

    /// <summary>Keeps what lives as long as the operands.</summary>
    public T Own<T>(T owned)
        where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }

    /// <summary>A pool of pages.</summary>
    public KvPool Pool(KvShape shape, int pages)
    {
        var pool = Backend.CreateKvPool(shape, pages);
        _owned.Add(pool);
        return pool;
    }

    /// <summary>The values of F32 tensors, one after another.</summary>
    public float[] Read(params Tensor[] tensors) => [.. tensors.SelectMany(t =>
    {
        if (t.DType == DType.I32)
        {
            var ids = new int[t.Count];
            Backend.Download(t, ids.AsSpan());
            return Array.ConvertAll(ids, i => (float)i);
        }

        var values = new float[t.Count];
        Backend.Download(t, values.AsSpan());
        return values;
    })];

    /// <inheritdoc/>
    public void Dispose()
    {
        for (int i = _owned.Count - 1; i >= 0; i--)
        {
            _owned[i].Dispose();
        }
    }

    // Marsaglia, "Xorshift RNGs", 2003: fast, and the same on every backend.
    private float Next()
    {
        _state ^= _state << 13;
        _state ^= _state >> 17;
        _state ^= _state << 5;
        return ((int)_state >> 8) * (1f / (1 << 23));
    }

    private Tensor Take(DType type, int rows, int columns)
    {
        var memory = Backend.Allocate(Math.Max(64, (long)rows * columns * type.Size()));
        _owned.Add(memory);
        return memory.Tensor(type, rows, columns);
    }
}
