using Farm.Core;

namespace Farm.Cuda.Tests.Launch;

/// <summary>How decode attention is cut into blocks for one prompt and for many.</summary>
public sealed class AttentionCutTests
{
    // Prompts of 2,048 tokens, samples of 40. LLaMA-7B has 32 key/value heads for 32 query heads, Llama-3.1-8B 8 for 32, Llama-3.1-70B 8 for 64. `tiles` are the
    // sixteens of rows of a block that takes them whole, `whole` their blocks; `spans` are the blocks of a prompt's spans, `suffixes` those that fold them.
    [Theory]
    [InlineData(108, 1, 16, 32, 32, 1, 0, 192, 512)]
    [InlineData(132, 1, 16, 32, 32, 1, 0, 192, 512)]
    [InlineData(108, 4, 16, 32, 32, 1, 0, 768, 2048)]
    [InlineData(132, 4, 16, 32, 32, 1, 0, 768, 2048)]
    [InlineData(108, 32, 16, 32, 32, 1, 0, 1024, 16384)]
    [InlineData(108, 1, 16, 32, 8, 1, 32, 0, 0)]
    [InlineData(108, 4, 16, 32, 8, 1, 128, 0, 0)]
    [InlineData(132, 9, 16, 32, 8, 2, 144, 0, 0)]
    [InlineData(108, 32, 16, 32, 8, 4, 256, 0, 0)]
    [InlineData(132, 32, 16, 32, 8, 4, 256, 0, 0)]
    [InlineData(108, 1, 16, 64, 8, 1, 64, 0, 0)]
    [InlineData(132, 1, 16, 64, 8, 1, 64, 0, 0)]
    [InlineData(108, 4, 16, 64, 8, 2, 128, 0, 0)]
    [InlineData(132, 4, 16, 64, 8, 1, 256, 0, 0)]
    [InlineData(132, 9, 16, 64, 8, 4, 144, 0, 0)]
    [InlineData(132, 32, 16, 64, 8, 8, 256, 0, 0)]
    [InlineData(108, 1, 32, 32, 32, 1, 64, 0, 0)]
    [InlineData(108, 1, 1, 32, 8, 1, 0, 64, 8)]
    [InlineData(108, 32, 1, 32, 8, 1, 0, 256, 256)]
    public void Blocks_take_as_many_rows_as_leave_one_for_every_multiprocessor(
        int multiprocessors, int prompts, int samples, int queryHeads, int kvHeads, int tiles, int whole, int spans, int suffixes)
    {
        var cut = Cut(Plan(prompts, samples), queryHeads, kvHeads, widest: 8, multiprocessors, out var blocks);
        Assert.Equal(tiles, cut.GroupWarps);
        Assert.Equal((whole, spans, suffixes), blocks);
    }

    [Fact]
    public void A_GPU_with_little_shared_memory_takes_fewer_rows_a_block()
    {
        var cut = Cut(Plan(32, 16), 64, 8, widest: 4, 132, out var blocks);
        Assert.Equal(4, cut.GroupWarps);
        Assert.Equal((512, 0, 0), blocks);
    }

    // Float32 pages: blocks for 16 rows of a prompt that leave partial results, cut into spans where rows are few.
    [Theory]
    [InlineData(1, 16, 1, 192)]
    [InlineData(7, 16, 1, 224)]
    [InlineData(1, 32, 1, 64)]
    [InlineData(1, 4, 2, 256)]
    public void Without_a_kernel_for_whole_groups_prompts_are_walked_whole_unless_rows_are_few(int prompts, int samples, int headsPerKv, int blocks)
    {
        var plan = Plan(prompts, samples);
        Cut(plan, 32 * headsPerKv, 32, widest: 0, 108, out var counted);
        Assert.Equal((0, blocks, prompts * samples * 32), counted);
    }

    [Fact]
    public void Sequences_without_a_prompt_are_cut_into_spans_of_their_own()
    {
        var plan = new AttentionPlan(1, 2, 64);
        plan.Clear();
        int[] pages = [.. Enumerable.Range(0, 16)];
        plan.BeginGroup(0, pages);
        plan.AddSequence(1, 2048, pages);
        plan.AddSequence(1, 30, pages);
        Cut(plan, 32, 32, widest: 8, 108, out var blocks);
        Assert.Equal((0, 32 * 6, 32 * 2), blocks);
    }

    private static AttentionPlan Plan(int prompts, int samples)
    {
        var plan = new AttentionPlan(prompts, prompts * samples, prompts * (16 + samples));
        plan.Clear();
        int[] pages = [.. Enumerable.Range(0, 16)];
        for (int p = 0; p < prompts; p++)
        {
            plan.BeginGroup(2048, pages);
            for (int s = 0; s < samples; s++)
            {
                plan.AddSequence(1, 40, pages);
            }
        }

        return plan;
    }

    private static AttentionCut Cut(AttentionPlan plan, int queryHeads, int kvHeads, int widest, int multiprocessors, out (int Whole, int Spans, int Suffixes) blocks)
    {
        using var backend = Simulated.Backend();
        using var table = new AttentionTable(bytes => CudaMemory.Create(backend.Device, backend.Queue, bytes));
        var cut = AttentionCut.Of(plan, queryHeads / kvHeads, kvHeads, widest, multiprocessors);
        table.Build(plan, cut, kvHeads, 16, 16, multiprocessors);
        blocks = (table.GroupItems * kvHeads, table.PartialItems * kvHeads, table.FinalItems * kvHeads);
        return cut;
    }
}
