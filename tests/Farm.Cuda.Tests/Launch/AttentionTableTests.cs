using Farm.Core;

namespace Farm.Cuda.Tests.Launch;

/// <summary>How decode attention is cut into blocks for one prompt and for many.</summary>
public sealed class AttentionTableTests
{
    // Prompts of 2,048 tokens, 16 samples each: LLaMA-7B has 32 key/value heads, Llama-3.1-8B 8 for 32 query heads.
    [Theory]
    [InlineData(108, 1, 32, 32, 6)]
    [InlineData(132, 1, 32, 32, 6)]
    [InlineData(108, 6, 32, 32, 6)]
    [InlineData(108, 7, 32, 32, 1)]
    [InlineData(132, 1, 16, 8, 2)]
    [InlineData(132, 32, 16, 8, 2)]
    [InlineData(132, 33, 16, 8, 1)]
    [InlineData(132, 1, 32, 8, 1)]
    public void A_prefix_is_cut_into_spans_until_there_are_prompts_enough_for_two_blocks_a_multiprocessor(int multiprocessors, int prompts, int queryHeads, int kvHeads, int parts)
    {
        var (partial, final) = Items(prompts, 16, queryHeads, kvHeads, multiprocessors);
        Assert.Equal(prompts * parts, partial);
        Assert.Equal(prompts * 16, final);
    }

    [Fact]
    public void One_prompt_of_LLaMA_7B_gives_every_multiprocessor_of_an_A100_nearly_two_blocks_of_its_prefix()
    {
        var (partial, final) = Items(1, 16, 32, 32, 108);
        Assert.Equal(192, partial * 32);
        Assert.Equal(512, final * 32);
    }

    [Fact]
    public void Many_rows_walk_through_a_prefix_whole_because_their_partial_results_would_outweigh_it()
    {
        // 32 rows are two tiles of 16 of six spans; 40 are three, of which each walks through all keys.
        Assert.Equal((2 * 6, 32), Items(1, 32, 1, 1, 108));
        Assert.Equal((3, 40), Items(1, 40, 1, 1, 108));
    }

    private static (int Partial, int Final) Items(int prompts, int samples, int queryHeads, int kvHeads, int multiprocessors)
    {
        const int Prefix = 2048, Suffix = 40;
        using var backend = Simulated.Backend();
        using var table = new AttentionTable(bytes => CudaMemory.Create(backend.Device, backend.Queue, bytes));
        var plan = new AttentionPlan(prompts, prompts * samples, prompts * (16 + samples));
        plan.Clear();
        int[] pages = [.. Enumerable.Range(0, 16)];
        for (int p = 0; p < prompts; p++)
        {
            plan.BeginGroup(Prefix, pages);
            for (int s = 0; s < samples; s++)
            {
                plan.AddSequence(1, Suffix, pages);
            }
        }

        int group = queryHeads / kvHeads, rows = samples * group;
        table.Build(plan, queryHeads, kvHeads, rows <= 16 || kvHeads == 1 ? 16 : 64, 16, multiprocessors);
        return (table.PartialItems, table.FinalItems);
    }
}
