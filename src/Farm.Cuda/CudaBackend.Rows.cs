using Farm.Core;
using Farm.Cuda.Launch;

namespace Farm.Cuda;

public sealed partial class CudaBackend
{
    /// <inheritdoc/>
    public void Copy(Tensor source, Tensor destination)
    {
        const string Op = nameof(Copy);
        Require(source.DType is DType.F32 or DType.BF16 && destination.DType is DType.F32 or DType.BF16, Op, "tensors are F32 or BF16", nameof(source));
        if (source.Rows != destination.Rows || source.Columns != destination.Columns)
        {
            throw new ArgumentException($"{Op}: {source} does not fit {destination}.", nameof(destination));
        }

        var grid = new Grid(source.Rows);
        if (source.DType == destination.DType)
        {
            Launch(source.DType == DType.F32 ? InferenceKernels.GatherRows4 : InferenceKernels.GatherRows2, grid, source, source.Stride, (nint)0, source.Columns, destination,
                destination.Stride);
        }
        else
        {
            Launch(source.DType == DType.F32 ? InferenceKernels.CopyF32ToBF16 : InferenceKernels.CopyBF16ToF32, grid, source, source.Stride, source.Columns, destination,
                destination.Stride);
        }
    }

    /// <inheritdoc/>
    public void GatherRows(Tensor input, Tensor rows, Tensor output)
    {
        const string Op = nameof(GatherRows);
        if (input.DType != output.DType || input.Columns != output.Columns)
        {
            throw new ArgumentException($"{Op}: {input} does not fit {output}.", nameof(output));
        }

        RequireI32(rows, output.Rows, Op, nameof(rows));
        var kernel = input.DType.Size() switch
        {
            1 => InferenceKernels.GatherRows1,
            2 => InferenceKernels.GatherRows2,
            _ => InferenceKernels.GatherRows4,
        };
        Launch(kernel, new Grid(output.Rows), input, input.Stride, rows, input.Columns, output, output.Stride);
    }

    /// <inheritdoc/>
    public void Embedding(Tensor ids, Tensor table, Tensor output)
    {
        const string Op = nameof(Embedding);
        Require(table.DType is DType.F32 or DType.BF16, Op, "the table is F32 or BF16", nameof(table));
        RequireI32(ids, output.Rows, Op, nameof(ids));
        RequireF32(output, output.Rows, table.Columns, Op, nameof(output));
        Launch(table.DType == DType.F32 ? InferenceKernels.EmbeddingF32 : InferenceKernels.EmbeddingBF16, new Grid(output.Rows), ids, table, table.Stride, table.Columns, output,
            output.Stride);
    }

    /// <inheritdoc/>
    public void Embedding(Tensor ids, LinearWeight table, Tensor output)
    {
        const string Op = nameof(Embedding);
        var packed = Packed(table, Op);
        Require(packed.Layout == LinearLayout.Concatenated, Op, "the table is no GateUp weight", nameof(table));
        RequireI32(ids, output.Rows, Op, nameof(ids));
        RequireF32(output, output.Rows, packed.InFeatures, Op, nameof(output));
        var grid = new Grid(output.Rows);
        if (packed.DType == DType.I8)
        {
            Launch(InferenceKernels.EmbeddingPackedInt8, grid, ids, packed.Data, packed.Scales, packed.Units, packed.InFeatures, output, output.Stride);
        }
        else
        {
            Launch(packed.DType == DType.F32 ? InferenceKernels.EmbeddingPackedF32 : InferenceKernels.EmbeddingPackedBF16, grid, ids, packed.Data, packed.Units,
                packed.InFeatures, output, output.Stride);
        }
    }

    /// <inheritdoc/>
    public void RmsNorm(Tensor input, Tensor weight, float epsilon, Tensor output)
    {
        const string Op = nameof(RmsNorm);
        RequireF32(input, input.Rows, input.Columns, Op, nameof(input));
        RequireF32(weight, 1, input.Columns, Op, nameof(weight));
        RequireF32(output, input.Rows, input.Columns, Op, nameof(output));
        Launch(InferenceKernels.RmsNorm, new Grid(input.Rows), input, input.Stride, weight, epsilon, output, output.Stride, input.Columns);
    }

    /// <inheritdoc/>
    public void RopeAppendKv(Tensor qkv, int queryHeads, int kvHeads, Tensor positions, Tensor cosine, Tensor sine, KvPool? pool, int layer, Tensor slots)
    {
        const string Op = nameof(RopeAppendKv);
        int half = cosine.Columns, headDim = half * 2;
        RequireF32(qkv, qkv.Rows, (queryHeads + (2 * kvHeads)) * headDim, Op, nameof(qkv));
        RequireI32(positions, qkv.Rows, Op, nameof(positions));
        RequireF32(cosine, cosine.Rows, half, Op, nameof(cosine));
        RequireF32(sine, cosine.Rows, half, Op, nameof(sine));
        Require(cosine.IsContiguous && sine.IsContiguous, Op, "cosine and sine are contiguous", nameof(cosine));
        if (pool is null)
        {
            Launch(InferenceKernels.RopeAppendF32, new Grid(qkv.Rows, queryHeads + kvHeads), qkv, qkv.Stride, queryHeads, kvHeads, half, positions, cosine, sine, (nint)0, 0L, 0L,
                headDim, (nint)0);
            return;
        }

        RequireI32(slots, qkv.Rows, Op, nameof(slots));
        RequirePool(pool, kvHeads, headDim, layer, Op);
        var pages = (CudaKvPool)pool;
        nint first = pages.Address + (nint)(pages.LayerOffset(layer) * pool.Shape.DType.Size());
        Launch(pool.Shape.DType == DType.F32 ? InferenceKernels.RopeAppendF32 : InferenceKernels.RopeAppendBF16, new Grid(qkv.Rows, queryHeads + (2 * kvHeads)), qkv, qkv.Stride,
            queryHeads, kvHeads, half, positions, cosine, sine, first, pages.PageStride, pages.ValueOffset, pages.Pitch, slots);
    }
}
