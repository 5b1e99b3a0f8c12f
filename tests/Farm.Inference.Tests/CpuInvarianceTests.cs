using Farm.Core;
using Farm.Cpu;
using Farm.Models.Configuration;
using Farm.Models.Llama;

namespace Farm.Inference.Tests;

/// <summary>The promise of reproducible samples where it is hardest to keep: vector kernels, several threads, rounded weights.</summary>
public class CpuInvarianceTests
{
    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    [InlineData(DType.I8)]
    public void Sample_k_of_prompt_j_is_the_same_for_any_n_width_and_thread_count(DType type)
    {
        var options = new GenerationOptions { NumReturnSequences = 16, MaxNewTokens = 10, Seed = 9, EosIds = [3, 7, 11], Sampling = new() { TopP = 0.95f } };
        var prompts = TestModels.Prompts(9, 140, 3);
        var all = Draw(2, options);
        foreach (int threads in (int[])[1, 2, 3])
        {
            foreach (var (n, width) in ((int, int)[])[(1, 0), (8, 5), (16, 16), (16, 1)])
            {
                var some = Draw(threads, options with { NumReturnSequences = n, BatchSequences = width });
                for (int p = 0; p < prompts.Count; p++)
                {
                    for (int k = 0; k < n; k++)
                    {
                        Assert.Equal(all[p].Samples[k].TokenIds, some[p].Samples[k].TokenIds);
                        Assert.Equal(all[p].Samples[k].LogProbs, some[p].Samples[k].LogProbs);
                    }
                }
            }
        }

        var other = Draw(2, options with { Seed = 10 });
        Assert.True(Enumerable.Range(0, 16).Count(k => !other[0].Samples[k].TokenIds.SequenceEqual(all[0].Samples[k].TokenIds)) > 8);

        List<PromptResult> Draw(int threads, GenerationOptions how)
        {
            using var backend = new CpuBackend(threads);
            using var model = LlamaModel.Load(backend, new MemoryCheckpoint(Config), Config, type);
            return TestModels.Generate(model, prompts, how);
        }
    }

    [Fact]
    public void Rewards_are_the_same_for_any_company_and_thread_count()
    {
        int[] prompt = TestModels.Ids(140, 1);
        int[][] responses = [TestModels.Ids(17, 2), TestModels.Ids(1, 3), [], TestModels.Ids(60, 4)];
        float[] together = Score(2, responses, 512);
        for (int r = 0; r < responses.Length; r++)
        {
            Assert.Equal(together[r], Score(1, [responses[r]], 512)[0]);
            Assert.Equal(together[r], Score(3, [responses[r]], 13)[0]);
        }

        Assert.Equal(responses.Length, together.Distinct().Count());

        float[] Score(int threads, int[][] some, int rows)
        {
            using var backend = new CpuBackend(threads);
            using var model = RewardModel.Load(backend, new MemoryCheckpoint(Config, 2, "backbone_model.", rewardHead: true), Config, DType.BF16);
            using var scorer = new Scorer(model, null, new ScorerOptions { Rows = rows });
            return scorer.Score([ScoringGroup.Of(0, prompt, some)])[0];
        }
    }

    [Fact]
    public void The_cpu_agrees_with_the_reference()
    {
        int[] prompt = TestModels.Ids(150, 1), continuation = TestModels.Ids(40, 2);
        using var backend = new CpuBackend(2);
        using var model = LlamaModel.Load(backend, new MemoryCheckpoint(Config), Config, DType.F32);
        using Evaluator cpu = new(model), reference = new(TestModels.Policy(Config));
        float[] actual = cpu.LogProbs(prompt, continuation).LogProbs, expected = reference.LogProbs(prompt, continuation).LogProbs;
        for (int t = 0; t < expected.Length; t++)
        {
            Assert.Equal(expected[t], actual[t], 1e-3);
        }
    }

    private static ModelConfig Config { get; } = TestModels.Config with { HiddenSize = 64, IntermediateSize = 96, HeadDim = 16 };
}
