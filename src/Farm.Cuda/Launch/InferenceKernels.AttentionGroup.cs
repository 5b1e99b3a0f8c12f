namespace Farm.Cuda.Launch;

// How a decode step fills a chip (AttentionCut): prompts of 2,048 tokens, 16 samples of 40 tokens, head width 128. @TABLE@
internal static partial class InferenceKernels
{
    internal static readonly Kernel AttentionGroupBF16D32T1 = Group("attention_group_bf16_d32_t1", 32, 1, 3);
    internal static readonly Kernel AttentionGroupBF16D32T2 = Group("attention_group_bf16_d32_t2", 32, 2, 3);
    internal static readonly Kernel AttentionGroupBF16D32T4 = Group("attention_group_bf16_d32_t4", 32, 4, 3);
    internal static readonly Kernel AttentionGroupBF16D32T8 = Group("attention_group_bf16_d32_t8", 32, 8, 3);
    internal static readonly Kernel AttentionGroupBF16RoundedD32T1 = Group("attention_group_bf16_rounded_d32_t1", 32, 1, 1);
    internal static readonly Kernel AttentionGroupBF16RoundedD32T2 = Group("attention_group_bf16_rounded_d32_t2", 32, 2, 1);
    internal static readonly Kernel AttentionGroupBF16RoundedD32T4 = Group("attention_group_bf16_rounded_d32_t4", 32, 4, 1);
    internal static readonly Kernel AttentionGroupBF16RoundedD32T8 = Group("attention_group_bf16_rounded_d32_t8", 32, 8, 1);
    internal static readonly Kernel AttentionGroupBF16D64T1 = Group("attention_group_bf16_d64_t1", 64, 1, 3);
    internal static readonly Kernel AttentionGroupBF16D64T2 = Group("attention_group_bf16_d64_t2", 64, 2, 3);
    internal static readonly Kernel AttentionGroupBF16D64T4 = Group("attention_group_bf16_d64_t4", 64, 4, 3);
    internal static readonly Kernel AttentionGroupBF16D64T8 = Group("attention_group_bf16_d64_t8", 64, 8, 3);
    internal static readonly Kernel AttentionGroupBF16RoundedD64T1 = Group("attention_group_bf16_rounded_d64_t1", 64, 1, 1);
    internal static readonly Kernel AttentionGroupBF16RoundedD64T2 = Group("attention_group_bf16_rounded_d64_t2", 64, 2, 1);
    internal static readonly Kernel AttentionGroupBF16RoundedD64T4 = Group("attention_group_bf16_rounded_d64_t4", 64, 4, 1);
    internal static readonly Kernel AttentionGroupBF16RoundedD64T8 = Group("attention_group_bf16_rounded_d64_t8", 64, 8, 1);
    internal static readonly Kernel AttentionGroupBF16D128T1 = Group("attention_group_bf16_d128_t1", 128, 1, 3);
    internal static readonly Kernel AttentionGroupBF16D128T2 = Group("attention_group_bf16_d128_t2", 128, 2, 3);
    internal static readonly Kernel AttentionGroupBF16D128T4 = Group("attention_group_bf16_d128_t4", 128, 4, 3);
    internal static readonly Kernel AttentionGroupBF16D128T8 = Group("attention_group_bf16_d128_t8", 128, 8, 3);
    internal static readonly Kernel AttentionGroupBF16RoundedD128T1 = Group("attention_group_bf16_rounded_d128_t1", 128, 1, 1);
    internal static readonly Kernel AttentionGroupBF16RoundedD128T2 = Group("attention_group_bf16_rounded_d128_t2", 128, 2, 1);
    internal static readonly Kernel AttentionGroupBF16RoundedD128T4 = Group("attention_group_bf16_rounded_d128_t4", 128, 4, 1);
    internal static readonly Kernel AttentionGroupBF16RoundedD128T8 = Group("attention_group_bf16_rounded_d128_t8", 128, 8, 1);

    /// <summary>Warps of a block that takes so many sixteens of rows through a prompt.</summary>
    internal static int GroupBlockWarps(int tiles) => tiles is 2 or 4 ? 4 : 8;

    /// <summary>Its dynamic shared memory: keys and values, queries as terms of bf16 or as float32, totals of the rows and, where teams share them, their maxima and sums.</summary>
    internal static int GroupShared(int width, int tiles, int terms)
    {
        int teams = GroupBlockWarps(tiles) / tiles, copied = teams * 2 * Math.Min(64, 16 * tiles) * (width + 8) * sizeof(ushort);
        int query = width / 16 * 512 * (terms == 1 || tiles < 4 ? terms : 2), total = ((width / 8) + (teams > 1 ? 1 : 0)) * 512;
        return copied + (tiles * (query + total));
    }

    /// <summary>The kernel for heads of up to <paramref name="width"/> and so many sixteens of rows.</summary>
    internal static Kernel Group(int width, int tiles, int terms) => (width, tiles, terms) switch
    {
        (32, 1, 3) => AttentionGroupBF16D32T1,
        (32, 2, 3) => AttentionGroupBF16D32T2,
        (32, 4, 3) => AttentionGroupBF16D32T4,
        (32, _, 3) => AttentionGroupBF16D32T8,
        (64, 1, 3) => AttentionGroupBF16D64T1,
        (64, 2, 3) => AttentionGroupBF16D64T2,
        (64, 4, 3) => AttentionGroupBF16D64T4,
        (64, _, 3) => AttentionGroupBF16D64T8,
        (_, 1, 3) => AttentionGroupBF16D128T1,
        (_, 2, 3) => AttentionGroupBF16D128T2,
        (_, 4, 3) => AttentionGroupBF16D128T4,
        (_, _, 3) => AttentionGroupBF16D128T8,
        (32, 1, _) => AttentionGroupBF16RoundedD32T1,
        (32, 2, _) => AttentionGroupBF16RoundedD32T2,
        (32, 4, _) => AttentionGroupBF16RoundedD32T4,
        (32, _, _) => AttentionGroupBF16RoundedD32T8,
        (64, 1, _) => AttentionGroupBF16RoundedD64T1,
        (64, 2, _) => AttentionGroupBF16RoundedD64T2,
        (64, 4, _) => AttentionGroupBF16RoundedD64T4,
        (64, _, _) => AttentionGroupBF16RoundedD64T8,
        (_, 1, _) => AttentionGroupBF16RoundedD128T1,
        (_, 2, _) => AttentionGroupBF16RoundedD128T2,
        (_, 4, _) => AttentionGroupBF16RoundedD128T4,
        (_, _, _) => AttentionGroupBF16RoundedD128T8,
    };

    private static Kernel Group(string name, int width, int tiles, int terms) =>
        new($"attention_group_d{width}", name, 32 * GroupBlockWarps(tiles), PerItem, MaxDynamicShared: GroupShared(width, tiles, terms), Registers: width == 128 ? 200 : 128);
}
