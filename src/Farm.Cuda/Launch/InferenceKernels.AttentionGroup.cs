namespace Farm.Cuda.Launch;

// How a decode step fills a chip (AttentionCut): prompts of 2,048 tokens, 16 samples of 40 tokens, head width 128. Blocks x warps of a block, and the sectors
// that the L2 cache is asked for, of the least bytes; memory is asked for 1.00 of them.
//
//                                             1 prompt            4 prompts                          32 prompts
//   Llama-3.1-8B, 8 key/value heads of 4      32 x 8, 3.2         128 x 8, 3.2                       256 x 4, 1.1
//   Llama-3.1-70B, 8 of 8                     64 x 8, 5.8         128 x 4, 3.2 | 256 x 8, 5.8        256 x 8, 1.1
//                                                                 (108 | 132 multiprocessors)
//
// Resident at once on an A100 (164 KB shared, 65,536 registers, 200 a thread) and on an H100 (228 KB): 1 | 1 blocks of 16 rows, 2 | 2 of 32, 1 | 2 of 64,
// 1 | 1 of 128.
//
// One prompt cannot give every multiprocessor a block without partial results, and these weigh: with eight query heads a second block for the other half of
// the keys costs 133 KB a head, written and read, and queries read twice, 0.13 of the least. Instead a block's warps share the keys. A warp takes 64 keys
// with 384 products of 16 x 8 x 16 (three terms), 8 cycles each on one of an A100's tensor cores, four a multiprocessor: 2,048 keys are 98,000 cycles for
// one warp a core, 25,000 for eight warps that share them, two a core. Meanwhile a block reads 1 MB, 42 of the 64 bytes a cycle that a multiprocessor can
// have from L2. So few blocks of 16 rows are four times as fast as one block of 64, and as fast as any number of rows where blocks outnumber multiprocessors;
// there, more rows a block ask L2 for less.
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
