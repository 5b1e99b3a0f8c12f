using System.Numerics;
using Farm.Core;
using Farm.Cuda.Launch;

namespace Farm.Cuda;

public sealed partial class CudaBackend
{
    /// <summary>Widest head of the attention kernels.</summary>
    private const int MostHeadDim = 128;

    private AttentionTable? _attention;

    /// <inheritdoc/>
    public void Attention(Tensor queries, int queryHeads, KvPool pool, int layer, AttentionPlan plan, float scale, Tensor output)
    {
        const string Op = nameof(Attention);
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentNullException.ThrowIfNull(plan);
        RequirePool(pool, pool.Shape.KeyValueHeads, pool.Shape.HeadDim, layer, Op);
        int kvHeads = pool.Shape.KeyValueHeads, dim = pool.Shape.HeadDim;
        Require(queryHeads > 0 && queryHeads % kvHeads == 0, Op, "query heads are a multiple of key/value heads", nameof(queryHeads));
        Require(dim <= MostHeadDim, Op, "the CUDA kernels take heads of at most 128", nameof(pool));
        RequireF32(queries, plan.QueryRows, queryHeads * dim, Op, nameof(queries));
        RequireF32(output, plan.QueryRows, queryHeads * dim, Op, nameof(output));
        if (plan.QueryRows == 0)
        {
            return;
        }

        int group = queryHeads / kvHeads, width = dim <= 32 ? 32 : dim <= 64 ? 64 : 128, terms = Bf16Activations ? 1 : 3;
        bool wide = AttentionTable.MostRows(plan, group) > 16, half = pool.Shape.DType == DType.BF16;
        int warps = wide ? 4 : 1;
        bool walk = !half || InferenceKernels.AttentionShared(width, warps, terms, severalSpans: true) <= _device.Limits.SharedPerBlock;
        var table = _attention ??= new AttentionTable(bytes => CudaMemory.Create(_device, Queue, bytes));
        Stage(table.Build(plan, queryHeads, group, half ? 16 * warps : 16, walk), table.ItemAddress);

        // A power of two, so that the addresses stay the same from step to step.
        long partials = table.Partials == 0 ? 0 : (long)BitOperations.RoundUpToPowerOf2((ulong)table.Partials);
        _scratch.Reset();
        nint sums = Scratch(partials * 2 * sizeof(float)), values = Scratch(partials * dim * sizeof(float));
        var pages = (CudaKvPool)pool;
        nint first = pages.Address + (nint)(pages.LayerOffset(layer) * pool.Shape.DType.Size());
        var kernel = half ? BF16Attention(width, wide, terms) : width == 32 ? InferenceKernels.AttentionF32D32 : width == 64 ? InferenceKernels.AttentionF32D64
            : InferenceKernels.AttentionF32D128;
        int shared = half ? InferenceKernels.AttentionShared(width, warps, terms, table.SeveralSpans) : 0;
        Launch(kernel, new Grid(table.Items, kvHeads, DynamicShared: shared), queries, queries.Stride, first, pages.PageStride, pages.ValueOffset, pages.Pitch, table.ItemAddress,
            table.PageAddress, table.SlotAddress, group, queryHeads, dim, scale, output, output.Stride, values, sums);
        if (table.Partials > 0)
        {
            int rows = plan.QueryRows * queryHeads;
            Launch(InferenceKernels.AttentionMerge, new Grid(Grid.Over(rows, 4)), table.SlotAddress, values, sums, rows, queryHeads, dim, output, output.Stride);
        }
    }

    private static Kernel BF16Attention(int width, bool wide, int terms) => (width, wide, terms) switch
    {
        (32, false, 3) => InferenceKernels.AttentionBF16D32W1,
        (32, true, 3) => InferenceKernels.AttentionBF16D32W4,
        (64, false, 3) => InferenceKernels.AttentionBF16D64W1,
        (64, true, 3) => InferenceKernels.AttentionBF16D64W4,
        (_, false, 3) => InferenceKernels.AttentionBF16D128W1,
        (_, true, 3) => InferenceKernels.AttentionBF16D128W4,
        (32, false, _) => InferenceKernels.AttentionBF16RoundedD32W1,
        (32, true, _) => InferenceKernels.AttentionBF16RoundedD32W4,
        (64, false, _) => InferenceKernels.AttentionBF16RoundedD64W1,
        (64, true, _) => InferenceKernels.AttentionBF16RoundedD64W4,
        (_, false, _) => InferenceKernels.AttentionBF16RoundedD128W1,
        (_, true, _) => InferenceKernels.AttentionBF16RoundedD128W4,
    };
}
