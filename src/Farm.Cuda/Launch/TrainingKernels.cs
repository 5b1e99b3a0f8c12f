namespace Farm.Cuda.Launch;

/// <summary>Kernels of <see cref="Farm.Core.ITrainingBackend"/>.</summary>
internal static partial class TrainingKernels
{
    private const string Rows1024 = "x: rows, y: blocks of 1024 columns", Elements = "x: blocks of elements";

    internal static readonly Kernel AddBias = new("train_rows", "add_bias", 256, Rows1024, Registers: 32);
    internal static readonly Kernel ScaleRows = new("train_rows", "scale_rows", 256, Rows1024, Registers: 32);
    internal static readonly Kernel SumRowsBlocks = new("train_rows", "sum_rows_blocks", 256, "x: blocks of 256 rows, y: strips of 32 columns", StaticShared: 1024, Registers: 32);
    internal static readonly Kernel SumRowsProducts = new("train_rows", "sum_rows_products", 256, "x: blocks of 256 rows, y: strips of 32 columns", StaticShared: 1024, Registers: 32);
    internal static readonly Kernel SumRowsFinish = new("train_rows", "sum_rows_finish", 256, "x: blocks of 256 columns", Registers: 32);
    internal static readonly Kernel RmsNormBackward = new("train_norm", "rms_norm_backward", 256, "x: rows", StaticShared: 64, Registers: 32);
    internal static readonly Kernel RopeBackward = new("train_rope", "rope_backward", 256, "x: rows, y: blocks of 256 pairs of a row", Registers: 32);
    internal static readonly Kernel SwiGlu = new("train_swiglu", "swiglu", 256, Rows1024, Registers: 32);
    internal static readonly Kernel SwiGluBackward = new("train_swiglu", "swiglu_backward", 256, Rows1024, Registers: 40);
    internal static readonly Kernel EmbeddingBackward = new("train_embedding", "embedding_backward", 256, Rows1024, StaticShared: 96, Registers: 40);

    internal static readonly Kernel VocabularyScan = new("train_cross_entropy", "vocabulary_scan", 256, "x: rows", StaticShared: 160, Registers: 64);
    internal static readonly Kernel VocabularyGradient = new("train_cross_entropy", "vocabulary_gradient", 256, Rows1024, Registers: 32);
    internal static readonly Kernel CrossEntropyFinish = new("train_cross_entropy", "cross_entropy_finish", 256, "x: blocks of 256 rows", Registers: 64);

    internal static readonly Kernel SumOfSquaresBlocks = new("train_optimizer", "sum_of_squares_blocks", 256, "x: blocks of 16384 elements", StaticShared: 64, Registers: 32);
    internal static readonly Kernel SumOfSquaresFinish = new("train_optimizer", "sum_of_squares_finish", 256, "one block", StaticShared: 64, Registers: 32);
    internal static readonly Kernel AdamW = new("train_optimizer", "adamw", 256, Elements, Registers: 48);

    internal static readonly Kernel PackBf16Of1 = new("train_pack", "pack_bf16_1", 256, "x: rows, y: blocks of 512 output columns", Registers: 32);
    internal static readonly Kernel PackBf16Of3 = new("train_pack", "pack_bf16_3", 256, "x: rows, y: blocks of 512 output columns", Registers: 32);
    internal static readonly Kernel PackFromBf16 = new("train_pack", "pack_from_bf16", 256, "x: rows, y: blocks of 256 output columns", Registers: 32);
    internal static readonly Kernel PackF32 = new("train_pack", "pack_f32", 256, "x: rows, y: blocks of 256 output columns", Registers: 32);
}
