using Farm.Core;

namespace Farm.Reference;

/// <summary>Keys and values in plain arrays, [layer][slot, kvHeads * headDim], rounded to bfloat16 where the shape says so.</summary>
public sealed class ReferenceKvPool : KvPool
{
    private readonly float[][] _keys, _values;

    internal ReferenceKvPool(KvShape shape, int pages)
        : base(shape, pages)
    {
        _keys = Create();
        _values = Create();
    }

    /// <inheritdoc/>
    public override long PageBytes => 2L * Shape.Layers * PageTokens * Width * Shape.DType.Size();

    private int Width => Shape.KeyValueHeads * Shape.HeadDim;

    /// <summary>The key of one head at <paramref name="slot"/>.</summary>
    public ReadOnlySpan<float> Key(int layer, int slot, int head) => _keys[layer].AsSpan((slot * Width) + (head * Shape.HeadDim),
        Shape.HeadDim);

    /// <summary>The value of one head at <paramref name="slot"/>.</summary>
    public ReadOnlySpan<float> Value(int layer, int slot, int head) => _values[layer].AsSpan((slot * Width) + (head * Shape.HeadDim),
        Shape.HeadDim);

    internal void Write(int layer, int slot, int head, ReadOnlySpan<float> key, ReadOnlySpan<float> value)
    {
        int at = (slot * Width) + (head * Shape.HeadDim);
        for (int i = 0; i < Shape.HeadDim; i++)
        {
            _keys[layer][at + i] = Stored(key[i]);
            _values[layer][at + i] = Stored(value[i]);
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
    }

    private float Stored(float value) => Shape.DType == DType.BF16 ? BFloat16.Round(value) : value;

    private float[][] Create() =>
        [.. Enumerable.Range(0, Shape.Layers).Select(_ => new float[(long)Pages * PageTokens * Width])];
}
