namespace Farm.Cuda.Launch;

// Training attention: the number is the packed head width; bf16 has one term of each operand, f32 three.
internal static partial class TrainingKernels
{
    internal static readonly Kernel AttentionStatistics = new("train_attention_backward", "attention_statistics", 256, "x: blocks of 8 rows, y: query heads", Registers: 32);
    internal static readonly Kernel AttentionTrainBf16Of64 = Forward(64, 64, 1), AttentionTrainBf16Of128 = Forward(128, 64, 1), AttentionTrainBf16Of256 = Forward(256, 32, 1);
    internal static readonly Kernel AttentionTrainF32Of64 = Forward(64, 32, 3), AttentionTrainF32Of128 = Forward(128, 32, 3), AttentionTrainF32Of256 = Forward(256, 16, 3);
    internal static readonly Kernel AttentionKeysBf16Of64 = Backward("keys", 64, 1), AttentionKeysBf16Of128 = Backward("keys", 128, 1), AttentionKeysBf16Of256 = Backward("keys", 256, 1);
    internal static readonly Kernel AttentionKeysF32Of64 = Backward("keys", 64, 3), AttentionKeysF32Of128 = Backward("keys", 128, 3), AttentionKeysF32Of256 = Backward("keys", 256, 3);
    internal static readonly Kernel AttentionQueriesBf16Of64 = Backward("queries", 64, 1), AttentionQueriesBf16Of128 = Backward("queries", 128, 1), AttentionQueriesBf16Of256 = Backward("queries", 256, 1);
    internal static readonly Kernel AttentionQueriesF32Of64 = Backward("queries", 64, 3), AttentionQueriesF32Of128 = Backward("queries", 128, 3), AttentionQueriesF32Of256 = Backward("queries", 256, 3);

    /// <summary>The kernels for a packed head width and a number of terms.</summary>
    internal static (Kernel Forward, Kernel Keys, Kernel Queries) Attention(int width, int terms) => (width, terms) switch
    {
        (64, 1) => (AttentionTrainBf16Of64, AttentionKeysBf16Of64, AttentionQueriesBf16Of64),
        (128, 1) => (AttentionTrainBf16Of128, AttentionKeysBf16Of128, AttentionQueriesBf16Of128),
        (256, 1) => (AttentionTrainBf16Of256, AttentionKeysBf16Of256, AttentionQueriesBf16Of256),
        (64, 3) => (AttentionTrainF32Of64, AttentionKeysF32Of64, AttentionQueriesF32Of64),
        (128, 3) => (AttentionTrainF32Of128, AttentionKeysF32Of128, AttentionQueriesF32Of128),
        _ => (AttentionTrainF32Of256, AttentionKeysF32Of256, AttentionQueriesF32Of256),
    };

    /// <summary>Rows of a sequence that a block of the backward holds.</summary>
    internal static int AttentionHeldRows(int terms) => terms == 1 ? 64 : 32;

    private static Kernel Forward(int width, int columns, int terms) =>
        new("train_attention", $"attention_train_{Name(terms)}_{width}", 128, "x: tiles of 64 queries of a sequence, y: query heads",
            MaxDynamicShared: 2 * terms * width * (64 + (2 * columns)), Registers: 64 + (width / 2) + (columns / 2));

    private static Kernel Backward(string rows, int width, int terms)
    {
        int held = AttentionHeldRows(terms), walked = terms == 3 && width == 256 ? 16 : 32, stages = terms == 1 ? 2 : 1, parts = width == 256 ? 2 : 1;
        return new Kernel("train_attention_backward", $"attention_{rows}_{Name(terms)}_{width}", held * 2 * parts, $"x: tiles of {held} {rows} of a sequence, y: {rows} heads",
            MaxDynamicShared: (4 * terms * width * (held + (stages * walked))) + (8 * stages * 32), Registers: 64 + (width / parts / (rows == "keys" ? 1 : 2)));
    }

    private static string Name(int terms) => terms == 1 ? "bf16" : "f32";
}
