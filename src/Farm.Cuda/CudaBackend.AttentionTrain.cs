using Farm.Core;
using Farm.Cuda.Launch;

namespace Farm.Cuda;

public sealed partial class CudaBackend
{
    private const int WidestTrainedHead = 256;

    private int AttentionTerms => Compute == CudaCompute.BF16 ? 1 : 3;

    /// <inheritdoc/>
    public void AttentionTrain(Tensor qkv, int queryHeads, int kvHeads, Tensor starts, float scale, Tensor output, Tensor logSumExp)
    {
        int headDim = CheckAttention(nameof(AttentionTrain), qkv, queryHeads, kvHeads, starts, output, logSumExp);
        if (qkv.Rows == 0)
        {
            return;
        }

        _scratch.Reset();
        int terms = AttentionTerms, width = PackedWidth(headDim), sequences = (int)starts.Count - 1;
        var packed = Pack(qkv, terms, queryHeads + (2 * kvHeads), headDim, width);
        var kernel = TrainingKernels.Attention(width, terms).Forward;
        Launch(kernel, new Grid(Grid.Over(qkv.Rows, 64) + sequences, queryHeads, DynamicShared: kernel.MaxDynamicShared), packed.Address, starts, output, logSumExp, packed.Size, sequences,
            queryHeads, kvHeads, headDim, output.Stride, logSumExp.Stride, scale);
    }

    /// <inheritdoc/>
    public void AttentionBackward(Tensor qkv, int queryHeads, int kvHeads, Tensor starts, float scale, Tensor output, Tensor logSumExp, Tensor outputGradient, Tensor qkvGradient)
    {
        const string Op = nameof(AttentionBackward);
        int headDim = CheckAttention(Op, qkv, queryHeads, kvHeads, starts, output, logSumExp);
        RequireF32(outputGradient, output.Rows, output.Columns, Op, nameof(outputGradient));
        RequireF32(qkvGradient, qkv.Rows, qkv.Columns, Op, nameof(qkvGradient));
        if (qkv.Rows == 0)
        {
            return;
        }

        _scratch.Reset();
        int rows = qkv.Rows, terms = AttentionTerms, width = PackedWidth(headDim), sequences = (int)starts.Count - 1;
        Planes packed = Pack(qkv, terms, queryHeads + (2 * kvHeads), headDim, width), upstream = Pack(outputGradient, terms, queryHeads, headDim, width);
        nint statistics = Scratch((long)rows * queryHeads * 2 * sizeof(float));
        Launch(TrainingKernels.AttentionStatistics, new Grid(Grid.Over(rows, 8), queryHeads), output, outputGradient, logSumExp, statistics, output.Stride, outputGradient.Stride,
            logSumExp.Stride, rows, headDim);
        var (_, keys, queries) = TrainingKernels.Attention(width, terms);
        int tiles = Grid.Over(rows, TrainingKernels.AttentionHeldRows(terms)) + sequences;
        Launch(keys, new Grid(tiles, kvHeads, DynamicShared: keys.MaxDynamicShared), packed.Address, upstream.Address, statistics, starts, qkvGradient, packed.Size, upstream.Size,
            sequences, queryHeads, kvHeads, headDim, rows, qkvGradient.Stride, scale);
        Launch(queries, new Grid(tiles, queryHeads, DynamicShared: queries.MaxDynamicShared), packed.Address, upstream.Address, statistics, starts, qkvGradient, packed.Size,
            upstream.Size, sequences, queryHeads, kvHeads, headDim, rows, qkvGradient.Stride, scale);
    }

    private static int PackedWidth(int headDim) => headDim <= 64 ? 64 : headDim <= 128 ? 128 : WidestTrainedHead;

    private static int CheckAttention(string op, Tensor qkv, int queryHeads, int kvHeads, Tensor starts, Tensor output, Tensor logSumExp)
    {
        Require(queryHeads > 0 && kvHeads > 0 && queryHeads % kvHeads == 0, op, "query heads are a multiple of key/value heads", nameof(queryHeads));
        int heads = queryHeads + (2 * kvHeads), headDim = qkv.Columns / heads;
        RequireF32(qkv, qkv.Rows, heads * headDim, op, nameof(qkv));
        RequireF32(output, qkv.Rows, queryHeads * headDim, op, nameof(output));
        RequireF32(logSumExp, qkv.Rows, queryHeads, op, nameof(logSumExp));
        Require(starts.Count >= 1, op, "starts has one more entry than there are sequences", nameof(starts));
        RequireI32(starts, (int)starts.Count, op, nameof(starts));
        Require(headDim <= WidestTrainedHead, op, "a head has at most 256 columns on a GPU", nameof(qkv));
        return headDim;
    }
}
