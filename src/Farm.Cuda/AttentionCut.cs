using Farm.Core;

namespace Farm.Cuda;

/// <summary>
/// How a plan is cut into blocks. Rows are samples x query heads of a key/value head. A prompt's samples are taken through it and their own keys without
/// partial results, by blocks for 128, 64 or 32 rows if that leaves a block for every multiprocessor, or else for 16. Prompts of few rows, whose partial
/// results are small beside the keys, are items of their own before the samples', of a span each where whole prompts are not two blocks for every
/// multiprocessor. Which it is changes no bit.
/// </summary>
/// <param name="HeadsPerKv">Query heads of a key/value head.</param>
/// <param name="GroupWarps">Sixteens of rows in a block that takes a prompt's samples whole: 1, 2, 4 or 8; 0 where no such kernel runs.</param>
/// <param name="SplitPrompts">Whether prompts with few rows are cut into spans.</param>
internal readonly record struct AttentionCut(int HeadsPerKv, int GroupWarps, bool SplitPrompts)
{
    /// <summary>Rows of a tensor core's fragment: a warp's.</summary>
    internal const int WarpRows = 16;

    /// <summary>A sequence without a prompt is cut into spans if it has at most so many tokens: more would leave partial results that outweigh their spans.</summary>
    private const int MostTokens = 32;

    /// <summary>Keys of a span of a prompt and of what follows it.</summary>
    internal int Span => PromptSpan(HeadsPerKv);

    /// <summary>Keys of a span of a sequence without a prompt.</summary>
    internal int OwnSpan => HeadsPerKv == 1 ? 384 : 512 * HeadsPerKv;

    /// <summary>Keys of a span of a prompt: eight teams share 2,048 keys evenly. A single query head leaves more of the work to spans as blocks: 16 of its rows are few for 384 keys.</summary>
    internal static int PromptSpan(int headsPerKv) => headsPerKv == 1 ? 384 : 256;

    /// <summary>The cut of a plan.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="headsPerKv">Query heads of a key/value head.</param>
    /// <param name="kvHeads">Key/value heads.</param>
    /// <param name="widest">Most sixteens of rows in a block that takes samples whole, a power of two; 0 where no such kernel runs.</param>
    /// <param name="multiprocessors">Multiprocessors to keep busy.</param>
    internal static AttentionCut Of(AttentionPlan plan, int headsPerKv, int kvHeads, int widest, int multiprocessors)
    {
        int most = 0;
        for (int g = 0; g < plan.Groups; g++)
        {
            most = plan.PrefixLength[g] > 0 ? Math.Max(most, Rows(plan, g, headsPerKv)) : most;
        }

        int warps = widest;
        // A block that is more than half full, and as many as there are multiprocessors.
        while (warps > 1 && (most <= WarpRows * warps / 2 || Blocks(plan, headsPerKv, warps) * kvHeads < multiprocessors))
        {
            warps /= 2;
        }

        return new AttentionCut(headsPerKv, warps, Blocks(plan, headsPerKv, 1) * kvHeads < 2 * multiprocessors);
    }

    /// <summary>Rows of a group: its query tokens times the heads of a key/value head.</summary>
    internal static int Rows(AttentionPlan plan, int group, int headsPerKv) =>
        (plan.QueryStart[plan.SequenceStart[group + 1]] - plan.QueryStart[plan.SequenceStart[group]]) * headsPerKv;

    /// <summary>Whether a group's rows are taken through its prompt and their own keys by the same blocks.</summary>
    internal bool Whole(int prefix, int rows) => prefix > 0 && GroupWarps > 0 && !Few(rows);

    /// <summary>Spans of a prompt that are blocks of their own; 1 where one walks through all.</summary>
    internal int PromptParts(int prefix, int rows) => SplitPrompts && Few(rows) ? (prefix + Span - 1) / Span : 1;

    /// <summary>The same of a sequence without a prompt.</summary>
    internal int OwnParts(int length, int tokens, bool split) => split && tokens <= MostTokens ? (length + OwnSpan - 1) / OwnSpan : 1;

    /// <summary>Most rows of what leaves partial results, and of what folds them or has none.</summary>
    internal (int Partial, int Final) MostRows(AttentionPlan plan)
    {
        int partial = 0, final = 0;
        for (int g = 0; g < plan.Groups; g++)
        {
            int rows = Rows(plan, g, HeadsPerKv), most = 0, prefix = plan.PrefixLength[g];
            if (Whole(prefix, rows))
            {
                continue;
            }

            for (int s = plan.SequenceStart[g]; s < plan.SequenceStart[g + 1]; s++)
            {
                most = Math.Max(most, (plan.QueryStart[s + 1] - plan.QueryStart[s]) * HeadsPerKv);
            }

            final = Math.Max(final, most);
            partial = Math.Max(partial, prefix > 0 ? rows : most);
        }

        return (partial, final);
    }

    // A row's partial result is dim + 2 floats, written and read, for 4 dim bytes of each key: of few rows a twelfth of a span's keys and values at most.
    private bool Few(int rows) => rows * 24 <= Span;

    // Blocks of so many sixteens of rows for all prompts, for each key/value head.
    private static long Blocks(AttentionPlan plan, int headsPerKv, int warps)
    {
        long blocks = 0;
        for (int g = 0; g < plan.Groups; g++)
        {
            blocks += plan.PrefixLength[g] > 0 ? ((long)Rows(plan, g, headsPerKv) + (WarpRows * warps) - 1) / (WarpRows * warps) : 0;
        }

        return blocks;
    }
}
