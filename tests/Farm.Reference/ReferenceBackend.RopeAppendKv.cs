using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public KvPool CreateKvPool(KvShape shape, int pages)
    {
        const string Operation = nameof(CreateKvPool);
        Check.That(shape is { Layers: > 0, KeyValueHeads: > 0, HeadDim: > 0 } && shape.HeadDim % 2 == 0, Operation, $"no pool of {shape}");
        Check.That(shape.DType is DType.F32 or DType.BF16, Operation, $"keys are not stored as {shape.DType.Name()}");
        Check.That(pages >= 0, Operation, $"{pages} pages");
        return new ReferenceKvPool(shape, pages);
    }

    /// <inheritdoc/>
    public void RopeAppendKv(Tensor qkv, int queryHeads, int kvHeads, Tensor positions, Tensor cosine, Tensor sine,
        KvPool? pool, int layer, Tensor slots)
    {
        const string Operation = nameof(RopeAppendKv);
        Check.Type(Operation, nameof(cosine), cosine, DType.F32);
        int half = cosine.Columns, headDim = 2 * half, heads = queryHeads + kvHeads;
        Check.That(queryHeads > 0 && kvHeads > 0, Operation, $"{queryHeads} query and {kvHeads} key heads");
        Check.Shape(Operation, nameof(qkv), qkv, DType.F32, qkv.Rows, (heads + kvHeads) * headDim);
        Check.Shape(Operation, nameof(sine), sine, DType.F32, cosine.Rows, half);
        Check.Shape(Operation, nameof(positions), positions, DType.I32, 1, qkv.Rows);
        var own = pool is null ? null : OwnPool(Operation, pool, kvHeads, headDim, layer);
        if (own is not null)
        {
            Check.Shape(Operation, nameof(slots), slots, DType.I32, 1, qkv.Rows);
        }

        int[] position = TensorIO.ReadInts(positions);
        int[] slot = own is null ? [] : TensorIO.ReadInts(slots);
        for (int t = 0; t < qkv.Rows; t++)
        {
            Check.Index(Operation, nameof(positions), position[t], cosine.Rows);
            double[] row = TensorIO.ReadRow(qkv, t);
            double[] cos = TensorIO.ReadRow(cosine, position[t]), sin = TensorIO.ReadRow(sine, position[t]);
            for (int head = 0; head < heads; head++)
            {
                Rotate(row.AsSpan(head * headDim, headDim), cos, sin);
            }

            TensorIO.WriteRow(qkv, t, row);
            if (own is null)
            {
                continue;
            }

            Check.Index(Operation, nameof(slots), slot[t], own.Pages * KvPool.PageTokens);
            float[] stored = Array.ConvertAll(row, x => (float)x);
            for (int head = 0; head < kvHeads; head++)
            {
                own.Write(layer, slot[t], head, stored.AsSpan((queryHeads + head) * headDim, headDim),
                    stored.AsSpan((heads + head) * headDim, headDim));
            }
        }
    }

    // (x_i, x_{i + d/2}) turns by the angle of the position: x_i cos - x_{i + d/2} sin, x_{i + d/2} cos + x_i sin.
    internal static void Rotate(Span<double> head, double[] cos, double[] sin)
    {
        int half = cos.Length;
        for (int i = 0; i < half; i++)
        {
            double a = head[i], b = head[i + half];
            head[i] = (a * cos[i]) - (b * sin[i]);
            head[i + half] = (b * cos[i]) + (a * sin[i]);
        }
    }

    private static ReferenceKvPool OwnPool(string operation, KvPool pool, int kvHeads, int headDim, int layer)
    {
        var own = pool as ReferenceKvPool ?? throw new ArgumentException($"{operation}: the pool is not the reference's");
        Check.That(own.Shape.KeyValueHeads == kvHeads && own.Shape.HeadDim == headDim, operation,
            $"the pool is {own.Shape}, not of {kvHeads} heads of {headDim}");
        Check.Index(operation, nameof(layer), layer, own.Shape.Layers);
        return own;
    }
}
