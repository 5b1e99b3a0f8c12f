namespace Farm.Cuda.Launch;

internal static partial class InferenceKernels
{
    internal static readonly Kernel RmsNorm = Row("rms_norm", 256, 32);
    internal static readonly Kernel EmbeddingF32 = Row("embedding_f32", 128);
    internal static readonly Kernel EmbeddingBF16 = Row("embedding_bf16", 128);
    internal static readonly Kernel EmbeddingPackedF32 = Row("embedding_packed_f32", 128);
    internal static readonly Kernel EmbeddingPackedBF16 = Row("embedding_packed_bf16", 128);
    internal static readonly Kernel EmbeddingPackedInt8 = Row("embedding_packed_int8", 128);
    internal static readonly Kernel GatherRows1 = Row("gather_rows_1", 128);
    internal static readonly Kernel GatherRows2 = Row("gather_rows_2", 128);
    internal static readonly Kernel GatherRows4 = Row("gather_rows_4", 128);
    internal static readonly Kernel CopyF32ToBF16 = Row("copy_f32_to_bf16", 128);
    internal static readonly Kernel CopyBF16ToF32 = Row("copy_bf16_to_f32", 128);
    internal static readonly Kernel RopeAppendF32 = new("rows", "rope_append_f32", 64, "a row, x; a head of queries, keys or values, y", Registers: 32);
    internal static readonly Kernel RopeAppendBF16 = new("rows", "rope_append_bf16", 64, "a row, x; a head of queries, keys or values, y", Registers: 32);

    private static Kernel Row(string name, int threads, int shared = 0) => new("rows", name, threads, "a row", StaticShared: shared, Registers: 32);
}
