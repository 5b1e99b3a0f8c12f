using System.Numerics;
using Farm.Core;
using Farm.Cuda.Launch;

namespace Farm.Cuda;

public sealed partial class CudaBackend
{
    /// <summary>Widest head of the attention kernels.</summary>
    private const int MostHeadDim = 128;

    private AttentionTable? _attention;

    /// <summary>Multiprocessors that paged attention is cut into blocks for; 0 for the GPU's. The result has the same bits for any number.</summary>
    internal int AttentionMultiprocessors { get; set; }

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

        int width = dim <= 32 ? 32 : dim <= 64 ? 64 : 128;
        bool half = pool.Shape.DType == DType.BF16;
        int headsPerKv = queryHeads / kvHeads, multiprocessors = AttentionMultiprocessors > 0 ? AttentionMultiprocessors : Multiprocessors;
        var cut = AttentionCut.Of(plan, headsPerKv, kvHeads, half ? WidestGroup(width) : 0, multiprocessors);
        var most = cut.MostRows(plan);
        int partialWarps = AttentionWarps(half, most.Partial, width), finalWarps = AttentionWarps(half, most.Final, width);
        var table = _attention ??= new AttentionTable(bytes => CudaMemory.Create(_device, Queue, bytes));
        Stage(table.Build(plan, cut, kvHeads, 16 * partialWarps, 16 * finalWarps, multiprocessors), table.ItemAddress);

        // A power of two, so that the addresses stay the same from step to step.
        long partials = table.Partials == 0 ? 0 : (long)BitOperations.RoundUpToPowerOf2((ulong)table.Partials);
        _scratch.Reset();
        nint sums = Scratch(partials * 2 * sizeof(float)), values = Scratch(partials * dim * sizeof(float));
        var pages = (CudaKvPool)pool;
        nint first = pages.Address + (nint)(pages.LayerOffset(layer) * pool.Shape.DType.Size());
        if (table.GroupItems > 0)
        {
            Launch(InferenceKernels.Group(width, cut.GroupWarps, PagedTerms), new Grid(table.GroupItems, kvHeads, DynamicShared: InferenceKernels.GroupShared(width, cut.GroupWarps, PagedTerms)),
                queries, queries.Stride, first, pages.PageStride, pages.ValueOffset, pages.Pitch, table.ItemAddress, table.SequenceAddress, table.PageAddress, headsPerKv, dim, scale, output,
                output.Stride);
        }

        // A loop and no function of its own: its captured variables would be an allocation in every step.
        for (int lot = 0; lot < 2; lot++)
        {
            var (items, count, warps, totals) = lot == 0
                ? (table.PartialAddress, table.PartialItems, partialWarps, table.PartialTotals) : (table.FinalAddress, table.FinalItems, finalWarps, table.FinalTotals);
            if (count == 0)
            {
                continue;
            }

            var kernel = half ? BF16Attention(width, warps, PagedTerms) : width == 32 ? InferenceKernels.AttentionF32D32 : width == 64 ? InferenceKernels.AttentionF32D64
                : InferenceKernels.AttentionF32D128;
            int shared = half ? InferenceKernels.AttentionShared(width, warps, PagedTerms, totals) : 0;
            Launch(kernel, new Grid(count, kvHeads, DynamicShared: shared), queries, queries.Stride, first, pages.PageStride, pages.ValueOffset, pages.Pitch, items,
                table.PageAddress, table.SlotAddress, headsPerKv, queryHeads, dim, scale, output, output.Stride, values, sums);
        }
    }

    private int PagedTerms => Bf16Activations ? 1 : 3;

    // Most sixteens of rows that a block takes through a prompt: what shared memory has room for; 0 if for none.
    private int WidestGroup(int width)
    {
        int tiles = 8;
        while (tiles > 0 && InferenceKernels.GroupShared(width, tiles, PagedTerms) > _device.Limits.SharedPerBlock)
        {
            tiles /= 2;
        }

        return tiles;
    }

    // Warps of a block, 16 rows each: as many as there are rows for, and as shared memory has room for.
    private int AttentionWarps(bool half, int rows, int width)
    {
        int warps = !half || rows <= 16 ? 1 : rows <= 32 ? 2 : 4;
        while (warps > 1 && InferenceKernels.AttentionShared(width, warps, PagedTerms, totals: true) > _device.Limits.SharedPerBlock)
        {
            warps /= 2;
        }

        return warps;
    }

    private static Kernel BF16Attention(int width, int warps, int terms) => (width, warps, terms) switch
    {
        (32, 1, 3) => InferenceKernels.AttentionBF16D32W1,
        (32, 2, 3) => InferenceKernels.AttentionBF16D32W2,
        (32, _, 3) => InferenceKernels.AttentionBF16D32W4,
        (64, 1, 3) => InferenceKernels.AttentionBF16D64W1,
        (64, 2, 3) => InferenceKernels.AttentionBF16D64W2,
        (64, _, 3) => InferenceKernels.AttentionBF16D64W4,
        (_, 1, 3) => InferenceKernels.AttentionBF16D128W1,
        (_, 2, 3) => InferenceKernels.AttentionBF16D128W2,
        (_, _, 3) => InferenceKernels.AttentionBF16D128W4,
        (32, 1, _) => InferenceKernels.AttentionBF16RoundedD32W1,
        (32, 2, _) => InferenceKernels.AttentionBF16RoundedD32W2,
        (32, _, _) => InferenceKernels.AttentionBF16RoundedD32W4,
        (64, 1, _) => InferenceKernels.AttentionBF16RoundedD64W1,
        (64, 2, _) => InferenceKernels.AttentionBF16RoundedD64W2,
        (64, _, _) => InferenceKernels.AttentionBF16RoundedD64W4,
        (_, 1, _) => InferenceKernels.AttentionBF16RoundedD128W1,
        (_, 2, _) => InferenceKernels.AttentionBF16RoundedD128W2,
        (_, _, _) => InferenceKernels.AttentionBF16RoundedD128W4,
    };
}
