using Farm.Cli.Kernels;
using Farm.Core;
using Farm.Cuda.Driver;
using Farm.Inference;
using Farm.Models.Checkpoints;
using Farm.Models.Llama;

namespace Farm.Cuda.Tests.Kernels;

/// <summary>The plan of a best-of-16 run's memory.</summary>
public sealed class BestOfNMemoryTests
{
    private static readonly ModelShape Llama7B = ModelShape.Parse("llama-7b");

    [Fact]
    public void Thirty_two_prompts_of_LLaMA_7B_fit_80_GB_because_a_prompt_is_stored_once()
    {
        var plan = new BestOfNMemory(Llama7B, Prompts: 32, Samples: 16, PromptTokens: 512, NewTokens: 128);
        Assert.InRange(plan.Policy, 13_476_298_752, 13_480_000_000);
        Assert.InRange(plan.Policy - plan.Reward, 0.9 * 2 * 4096 * 32000, 1.1 * 2 * 4096 * 32000);
        Assert.InRange(plan.Total, 60e9, 80e9);
        Assert.True(plan.Unshared > 160e9);
        Assert.Contains("stored once", plan.ToString(), StringComparison.Ordinal);
        Assert.StartsWith("fits a card of 80 GB", Assert.Single(plan.Verdict(80e9)), StringComparison.Ordinal);
    }

    [Fact]
    public void Prompts_that_do_not_fit_come_with_what_to_change()
    {
        var plan = new BestOfNMemory(Llama7B, Prompts: 32, Samples: 16, PromptTokens: 512, NewTokens: 300);
        int most = plan.MostPrompts(80e9);
        Assert.InRange(most, 1, 31);
        Assert.True((plan with { Prompts = most }).Total <= 80e9 && (plan with { Prompts = most + 1 }).Total > 80e9);
        string[] said = [.. plan.Verdict(80e9)];
        Assert.StartsWith($"does not fit a card of 80 GB; {most} prompts in flight would", said[0], StringComparison.Ordinal);
        Assert.Contains($"--batch-sequences {16 * most}", said[1], StringComparison.Ordinal);
        Assert.Contains("--dtype int8", said[2], StringComparison.Ordinal);
        Assert.Contains("--max-new-tokens", said[3], StringComparison.Ordinal);
        Assert.Equal(0, plan.MostPrompts(20e9));
    }

    [Theory]
    [InlineData(DType.BF16, 3, 16, 140, 12)]
    [InlineData(DType.BF16, 2, 4, 60, 130)]
    [InlineData(DType.I8, 3, 16, 140, 12)]
    public void What_is_planned_is_what_the_engine_allocates(DType type, int prompts, int samples, int promptTokens, int newTokens)
    {
        var shape = new ModelShape("test", 128, 256, 4, 2, 32, 512, 2, 512);
        var plan = new BestOfNMemory(shape, prompts, samples, promptTokens, newTokens, type);
        string folder = Directory.CreateTempSubdirectory("farm memory ").FullName;
        try
        {
            RandomCheckpoint.Write(Path.Combine(folder, "policy"), shape.Config with { EosIds = [1] }, seed: 1, DType.BF16);
            RandomCheckpoint.WriteReward(Path.Combine(folder, "reward"), shape.Config with { EosIds = [1] }, seed: 2, DType.BF16);
            long allocated = Allocated(folder, plan);
            Assert.InRange(plan.Allocated / (double)allocated, 0.97, 1.06);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // Every prompt in flight at once and every response as long as it may be.
    private static long Allocated(string folder, BestOfNMemory plan)
    {
        using var gpu = Simulated.Backend();
        // Sizes are looked at here, not kernels.
        Simulator.Configure("CHECK", "0");
        long before = Ledger.Snapshot().Bytes;
        using var policyFiles = Checkpoint.Open(Path.Combine(folder, "policy"));
        using var rewardFiles = Checkpoint.Open(Path.Combine(folder, "reward"));
        using var policy = LlamaModel.Load(gpu, policyFiles, plan.Model.Config, plan.Type);
        using var reward = RewardModel.Load(gpu, rewardFiles, plan.Model.Config, plan.Type);
        using var generator = new Generator(policy, null, new GenerationOptions
        {
            NumReturnSequences = plan.Samples,
            MaxNewTokens = plan.NewTokens,
            BatchSequences = plan.Prompts * plan.Samples,
            EosIds = [],
        });
        using var scorer = new Scorer(reward, null, new ScorerOptions { KvBudgetBytes = plan.ScoringBytes });
        Prompt[] prompts = [.. Enumerable.Range(0, plan.Prompts).Select(p => new Prompt(p, [0, .. Enumerable.Range(1, plan.PromptTokens - 1).Select(i => 2 + ((i * (p + 3)) % 500))], null))];
        int ranked = 0;
        BestOfN.Run(generator, scorer, prompts, new BestOfNOptions(), _ => ranked++);
        Simulator.Configure("CHECK", "1");
        Assert.Equal(plan.Prompts, ranked);
        return Ledger.Snapshot().Bytes - before;
    }
}
