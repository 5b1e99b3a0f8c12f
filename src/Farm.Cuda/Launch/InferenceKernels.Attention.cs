namespace Farm.Cuda.Launch;

// Prefill, sequences without a prompt, and prompts with few rows (samples x query heads of a key/value head), whose spans leave partial results. A decode step
// of LLaMA-7B, 32 key/value heads of one query head: a 2,048-token prompt is six spans of 384 keys, so 32 x 6 = 192 blocks, and 512 for 16 samples' own
// tokens: 1.8 and 4.7 for each of 108 multiprocessors. A block of a prompt costs rows x (dim + 2) x 8 bytes, written and read, whatever keys it has: 7 % of
// the least bytes for six spans of 16 rows. Once prompts alone give every multiprocessor two blocks (7 of them) a prompt is one block a head. A block of one
// warp keeps a tile of keys and one of values, 34 KB, under way: by Little's law an A100 (1.6 TB/s, 0.7 us) is busy with 33 of them, an H100 with 60.
//
// Resident at once on an A100 (164 KB shared, 200 registers a thread): of one warp 3 blocks, limited by shared memory, 2 where they fold several results;
// of four warps 1. So the 192 blocks of LLaMA-7B's prompt run at once. More rows: InferenceKernels.AttentionGroup.cs.
internal static partial class InferenceKernels
{
    private const string PerItem = "an item of the plan, x; a key/value head, y";

    internal static readonly Kernel AttentionF32D32 = new("attention_f32", "attention_f32_d32", 128, PerItem, StaticShared: 80 * 36 * 4 + 2560, Registers: 64);
    internal static readonly Kernel AttentionF32D64 = new("attention_f32", "attention_f32_d64", 128, PerItem, StaticShared: 80 * 68 * 4 + 2560, Registers: 72);
    internal static readonly Kernel AttentionF32D128 = new("attention_f32", "attention_f32_d128", 128, PerItem, StaticShared: 80 * 132 * 4 + 2560, Registers: 96);

    internal static readonly Kernel AttentionBF16D32W1 = Pages("attention_bf16_d32_w1", 32, 1, 3);
    internal static readonly Kernel AttentionBF16D32W2 = Pages("attention_bf16_d32_w2", 32, 2, 3);
    internal static readonly Kernel AttentionBF16D32W4 = Pages("attention_bf16_d32_w4", 32, 4, 3);
    internal static readonly Kernel AttentionBF16D64W1 = Pages("attention_bf16_d64_w1", 64, 1, 3);
    internal static readonly Kernel AttentionBF16D64W2 = Pages("attention_bf16_d64_w2", 64, 2, 3);
    internal static readonly Kernel AttentionBF16D64W4 = Pages("attention_bf16_d64_w4", 64, 4, 3);
    internal static readonly Kernel AttentionBF16D128W1 = Pages("attention_bf16_d128_w1", 128, 1, 3);
    internal static readonly Kernel AttentionBF16D128W2 = Pages("attention_bf16_d128_w2", 128, 2, 3);
    internal static readonly Kernel AttentionBF16D128W4 = Pages("attention_bf16_d128_w4", 128, 4, 3);
    internal static readonly Kernel AttentionBF16RoundedD32W1 = Pages("attention_bf16_rounded_d32_w1", 32, 1, 1);
    internal static readonly Kernel AttentionBF16RoundedD32W2 = Pages("attention_bf16_rounded_d32_w2", 32, 2, 1);
    internal static readonly Kernel AttentionBF16RoundedD32W4 = Pages("attention_bf16_rounded_d32_w4", 32, 4, 1);
    internal static readonly Kernel AttentionBF16RoundedD64W1 = Pages("attention_bf16_rounded_d64_w1", 64, 1, 1);
    internal static readonly Kernel AttentionBF16RoundedD64W2 = Pages("attention_bf16_rounded_d64_w2", 64, 2, 1);
    internal static readonly Kernel AttentionBF16RoundedD64W4 = Pages("attention_bf16_rounded_d64_w4", 64, 4, 1);
    internal static readonly Kernel AttentionBF16RoundedD128W1 = Pages("attention_bf16_rounded_d128_w1", 128, 1, 1);
    internal static readonly Kernel AttentionBF16RoundedD128W2 = Pages("attention_bf16_rounded_d128_w2", 128, 2, 1);
    internal static readonly Kernel AttentionBF16RoundedD128W4 = Pages("attention_bf16_rounded_d128_w4", 128, 4, 1);

    /// <summary>Dynamic shared memory of the bf16 kernels: keys and values, queries as fragments and, for items that fold several results, the running totals.</summary>
    internal static int AttentionShared(int width, int warps, int terms, bool totals) =>
        (2 * 64 * (width + 8) * 2) + (warps * terms * (width / 16) * 512) + (totals ? warps * (width / 8) * 512 : 0);

    private static Kernel Pages(string name, int width, int warps, int terms) =>
        new("attention", name, 32 * warps, PerItem, MaxDynamicShared: AttentionShared(width, warps, terms, totals: true), Registers: width == 128 ? 200 : 128);
}
