using Farm.Core;
using Farm.Cpu;
using Farm.Cuda.Driver;
using Farm.Inference;
using Farm.Models.Checkpoints;
using Farm.Models.Llama;
using Farm.Training.Methods;
using Farm.Training.Model;
using Farm.Training.Reinforcement;

namespace Farm.Cuda.Tests.EndToEnd;

/// <summary>Whole outer steps of PPO and Quark (sampling, scoring, advantages, updates) on the simulated GPU and on the CPU, in float32.</summary>
public sealed class FeedbackStepTests(TinyLlama models) : IClassFixture<TinyLlama>
{
    // Sums of float32 in another order. Whitening divides by a deviation, so advantages and what is made of them differ more.
    private const float Close = 1e-4f, Whitened = 2e-3f;

    // The first AdamW steps move a weight by about the learning rate in the sign of its gradient; where that is near zero the sign may differ.
    private const double Apart = 0.05;

    [Theory]
    [InlineData(PpoMode.Masked, PpoLayout.Full)]
    [InlineData(PpoMode.AlpacaFarm, PpoLayout.Full)]
    [InlineData(PpoMode.Masked, PpoLayout.Lora)]
    [InlineData(PpoMode.AlpacaFarm, PpoLayout.Lora)]
    public void A_ppo_step_is_the_cpus(PpoMode mode, PpoLayout layout)
    {
        using var cpu = new CpuBackend(2);
        using var gpu = Simulated.Backend();
        FeedbackResult want = Ppo(cpu), got = Ppo(gpu);
        Assert.Equal(mode == PpoMode.AlpacaFarm ? 8 : 4, want.Rollouts.Count);
        foreach (var (a, b) in want.Rollouts.Zip(got.Rollouts))
        {
            Assert.Equal(a.Response, b.Response);
            Assert.Equal(a.Reward, b.Reward, Close);
            All(a.SampledLogProbs, b.SampledLogProbs, Close);
            All(a.LogProbs, b.LogProbs, Close);
            All(a.ReferenceLogProbs, b.ReferenceLogProbs, Close);
            All(a.Entropies, b.Entropies, Close);
            All(a.Values, b.Values, Close);
            All(a.ShapedRewards, b.ShapedRewards, Close);
            All(a.Returns, b.Returns, Whitened);
            All(a.Advantages, b.Advantages, Whitened);
            // Sampler and trainer are other kernels of the same weights.
            Assert.All(b.SampledLogProbs.Zip(b.LogProbs), p => Assert.Equal(p.First, p.Second, Close));
        }

        Statistics(want, got);
        Assert.InRange(want.Apart(got), 0, Apart);

        FeedbackResult Ppo(IReinforcementBackend backend)
        {
            using var run = new FeedbackRun(backend, models, FeedbackRun.Options(mode), layout);
            return run.Step();
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Two_quark_steps_are_the_cpus(bool bestQuantileOnly)
    {
        using var cpu = new CpuBackend(2);
        using var gpu = Simulated.Backend();
        FeedbackResult want = Quark(cpu, bestQuantileOnly), got = Quark(gpu, bestQuantileOnly);
        Assert.Equal(8, want.Rollouts.Count);
        foreach (var (a, b) in want.Rollouts.Zip(got.Rollouts))
        {
            Assert.Equal(a.Response, b.Response);
            All(a.SampledLogProbs, b.SampledLogProbs, Whitened);
        }

        Statistics(want, got);
        Assert.InRange(want.Apart(got), 0, Apart);
    }

    [Theory]
    [InlineData("FAIL_LAUNCH", "on a grid of (")]
    [InlineData("LOSE_DEVICE", "The device is lost")]
    public void A_fault_amid_a_ppo_step_is_named_and_leaves_nothing_behind(string fault, string expected)
    {
        // Modules and what a first run keeps are there before.
        using (var warm = Simulated.Backend())
        using (var run = new FeedbackRun(warm, models, FeedbackRun.Options(PpoMode.Masked), PpoLayout.Lora))
        {
            run.Step();
        }

        var before = Ledger.Snapshot();
        using (var gpu = Simulated.Backend())
        using (var run = new FeedbackRun(gpu, models, FeedbackRun.Options(PpoMode.Masked), PpoLayout.Lora))
        {
            gpu.Synchronize();
            try
            {
                Simulator.Configure(fault, "200");
                var e = Assert.Throws<CudaException>(() => run.Step());
                Assert.Contains(expected, e.Message, StringComparison.Ordinal);
            }
            finally
            {
                Simulator.Configure(fault, "0");
            }
        }

        Simulator.ClearError();
        Assert.Equal(before, Ledger.Snapshot());
    }

    private static void All(float[] want, float[] got, float tolerance)
    {
        Assert.Equal(want.Length, got.Length);
        for (int i = 0; i < want.Length; i++)
        {
            Assert.Equal(want[i], got[i], tolerance * Math.Max(1, Math.Abs(want[i])));
        }
    }

    private static void Statistics(FeedbackResult want, FeedbackResult got)
    {
        Assert.Equal(want.Statistics.Keys.Order(), got.Statistics.Keys.Order());
        Assert.All(want.Statistics, s => Assert.Equal(s.Value, got.Statistics[s.Key], Whitened * Math.Max(1, Math.Abs(s.Value))));
    }

    private FeedbackResult Quark(IReinforcementBackend backend, bool bestQuantileOnly)
    {
        const int Tokens = 2;
        var options = new QuarkOptions
        {
            OutputFolder = Path.GetTempPath(),
            RolloutBatchSize = 4,
            RolloutMicroBatch = 4,
            StepBatchSize = 4,
            MaxSteps = 2,
            WarmupSteps = 0,
            LearningRate = 2e-3,
            EntropyCoefficient = 0.01,
            RewardTokens = Tokens,
            BestQuantileOnly = bestQuantileOnly,
            QueryLength = 16,
            ResponseLength = 6,
            Seed = 5,
        };
        var common = new TrainableLlamaOptions { Seed = 1, MaxPositions = 32, VocabularySize = TinyLlama.Config.VocabularySize + Tokens };
        using var checkpoint = Checkpoint.Open(models.Decoder);
        using var policy = TrainableLlama.Load(backend, checkpoint, TinyLlama.Config, common);
        using var reference = TrainableLlama.Load(backend, checkpoint, TinyLlama.Config, common with { Frozen = true });
        EmbeddingJitter.Apply(policy, TinyLlama.Config.VocabularySize, seed: 7);
        EmbeddingJitter.Apply(reference, TinyLlama.Config.VocabularySize, seed: 8);
        using var judge = Checkpoint.Open(models.Scorer);
        using var reward = RewardModel.Load(backend, judge, TinyLlama.Config, DType.F32);
        using var scorer = new Scorer(reward, null);
        var rewards = new Kept(new ScorerRewards(scorer, asText: false));
        using var trainer = new QuarkTrainer(policy, reference, new NumberTokenizer(), rewards, FeedbackRun.Prompts, options, [], []);
        float[] start = FeedbackRun.Weights(policy);
        var summary = trainer.Run();
        return new FeedbackResult(rewards.Rollouts, summary.Statistics.Where(s => !s.Name.StartsWith("time/", StringComparison.Ordinal)).ToDictionary(s => s.Name, s => s.Value), start, FeedbackRun.Weights(policy));
    }

    /// <summary>Keeps what it was asked to reward.</summary>
    private sealed class Kept(IRewardSource inner) : IRewardSource
    {
        public List<Rollout> Rollouts { get; } = [];

        public float[] Score(IReadOnlyList<Rollout> rollouts, CancellationToken cancellation = default)
        {
            Rollouts.AddRange(rollouts);
            return inner.Score(rollouts, cancellation);
        }
    }
}
