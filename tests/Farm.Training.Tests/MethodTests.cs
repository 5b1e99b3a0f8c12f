using Farm.Core;
using Farm.Models.Configuration;
using Farm.Training.Data;
using Farm.Training.Methods;
using Farm.Training.Model;
using Farm.Training.Reinforcement;
using Farm.Training.Tasks;

namespace Farm.Training.Tests;

/// <summary>DPO, Quark, FeedME, reward conditioning and the memory plan, on a two-layer model of random weights.</summary>
public sealed class MethodTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static TrainingExample[] Pairs => [.. Enumerable.Range(0, 6).Select(i => new TrainingExample([[1, 3 + i, 9, 10, 2], [1, 3 + i, 4, 5, 6, 2]], 2))];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Dpo_begins_at_log_two_and_learns_to_prefer()
    {
        using var model = TinyModel.Load();
        using var workspace = model.CreateWorkspace(64);
        var (examples, cached) = SequenceLogProbs.WithReference(model, workspace, Pairs, "tiny", _folder.File("cache"));
        Assert.False(cached);
        using var trainer = new Trainer(model, new DpoTask(0.1), examples, examples, Options("dpo") with { MaxSteps = 10, LearningRate = 0.02 }, [], []);
        // Against itself every logit is zero.
        Assert.Equal(Math.Log(2), trainer.Update(0).Loss, 1e-5);
        trainer.Run();
        var metrics = trainer.Evaluate().ToDictionary(m => m.Name, m => m.Value);
        Assert.Equal(1, metrics["eval_accuracy"]);
        Assert.True(metrics["eval_loss"] < 0.5, $"{metrics["eval_loss"]}");
        Assert.True(metrics["eval_reward_chosen"] > metrics["eval_reward_rejected"]);
    }

    [Fact]
    public void Dpo_of_adapters_begins_at_log_two_and_leaves_the_base_alone()
    {
        using var model = TinyModel.Load(new TrainableLlamaOptions { Lora = new LoraOptions { Rank = 2, TargetModules = [LoraOptions.AllLinear] } });
        using var workspace = model.CreateWorkspace(64);
        var examples = SequenceLogProbs.WithReference(model, workspace, Pairs, "tiny", _folder.File("cache")).Examples;
        float[] frozen = TinyModel.Values(model.Base.ValueOf("model.layers.0.mlp.down_proj.weight"));
        using var trainer = new Trainer(model, new DpoTask(0.1), examples, examples, Options("dpo-lora") with { MaxSteps = 10, LearningRate = 0.05 }, [], []);
        Assert.Equal(Math.Log(2), trainer.Update(0).Loss, 1e-5);
        trainer.Run();
        var metrics = trainer.Evaluate().ToDictionary(m => m.Name, m => m.Value);
        Assert.Equal(1, metrics["eval_accuracy"]);
        Assert.True(metrics["eval_loss"] < 0.6, $"{metrics["eval_loss"]}");
        Assert.Equal(frozen, TinyModel.Values(model.Base.ValueOf("model.layers.0.mlp.down_proj.weight")));
    }

    [Theory]
    [InlineData(DpoKind.Sigmoid, 0.1)]
    [InlineData(DpoKind.Ipo, 0)]
    public void Dpo_gradients_are_those_of_its_loss(DpoKind kind, double smoothing)
    {
        using var model = TinyModel.Load();
        using var workspace = model.CreateWorkspace(64);
        TrainingExample[] examples = [.. Pairs[..2].Select(p => p with { Reference = [-6f, -9f] })];
        var task = new DpoTask(0.3, kind, smoothing);
        model.Trained.ZeroGradients();
        task.Pass(model, workspace, new PackedBatch(), examples, [0.5f, 0.5f]);
        var weight = model.Trained.ValueOf("model.layers.0.mlp.down_proj.weight");
        float[] gradient = TinyModel.Values(model.Trained.GradientOf("model.layers.0.mlp.down_proj.weight")), values = TinyModel.Values(weight);
        foreach (int at in new[] { 0, 13, 57 })
        {
            double Loss(float by)
            {
                float[] moved = [.. values];
                moved[at] += by;
                TinyModel.Backend.Upload<float>(moved, weight);
                return task.Pass(model, workspace, new PackedBatch(), examples, null).Average(r => r.Loss);
            }

            // The fourth-order difference; a step this wide keeps the rounding of float32 weights small.
            double difference = ((8 * (Loss(0.01f) - Loss(-0.01f))) - (Loss(0.02f) - Loss(-0.02f))) / 0.12;
            Assert.Equal(difference, gradient[at], 2e-3 * Math.Max(1, Math.Abs(gradient[at])));
        }
    }

    [Fact]
    public void References_come_from_the_cache_only_for_the_same_model_and_examples()
    {
        using var model = TinyModel.Load();
        using var workspace = model.CreateWorkspace(64);
        var (first, _) = SequenceLogProbs.WithReference(model, workspace, Pairs, "tiny", _folder.File("cache"));
        var (second, cached) = SequenceLogProbs.WithReference(model, workspace, Pairs, "tiny", _folder.File("cache"));
        Assert.True(cached);
        Assert.Equal(first.Select(e => e.Reference![1]), second.Select(e => e.Reference![1]));
        Assert.False(SequenceLogProbs.WithReference(model, workspace, Pairs, "another", _folder.File("cache")).Cached);
        Assert.False(SequenceLogProbs.WithReference(model, workspace, Pairs[1..], "tiny", _folder.File("cache")).Cached);
    }

    [Fact]
    public void A_dpo_run_that_is_gone_on_with_ends_in_the_same_bits()
    {
        float[] Run(string name, int? stop)
        {
            using var model = TinyModel.Load();
            using var workspace = model.CreateWorkspace(64);
            var examples = SequenceLogProbs.WithReference(model, workspace, Pairs, "tiny", _folder.File("cache")).Examples;
            using var trainer = new Trainer(model, new DpoTask(0.1), examples, [], Options(name) with { MaxSteps = 4, SaveSteps = 2, Resume = true }, [], []);
            trainer.Progress = (step, _) =>
            {
                if (step == stop)
                {
                    throw new IOException("killed");
                }
            };
            if (stop is null)
            {
                trainer.Run();
            }
            else
            {
                Assert.Throws<IOException>(() => trainer.Run());
            }

            return TinyModel.Values(model);
        }

        float[] whole = Run("whole", null);
        Run("cut", 3);
        Assert.Equal(whole, Run("cut", null));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Quark_learns_and_resumes_to_the_same_bits(bool best)
    {
        var options = new QuarkOptions
        {
            OutputFolder = Directory.CreateDirectory(_folder.File("quark")).FullName,
            RolloutBatchSize = 8,
            RolloutMicroBatch = 4,
            StepBatchSize = 4,
            StepMicroBatch = 2,
            MaxSteps = 4,
            LearningRate = 0.02,
            WarmupSteps = 0,
            RewardTokens = 2,
            BestQuantileOnly = best,
            ClearPool = best,
            QueryLength = 4,
            ResponseLength = 6,
        };
        float[] whole = Run(options, null), cut;
        options = options with { OutputFolder = Directory.CreateDirectory(_folder.File("cut")).FullName, SaveSteps = 1 };
        Run(options, 3);
        cut = Run(options with { Resume = true }, null);
        Assert.Equal(whole, cut);

        float[] Run(QuarkOptions o, int? stop)
        {
            using var policy = TinyModel.Load(new TrainableLlamaOptions { VocabularySize = 15 });
            using var reference = TinyModel.Load(new TrainableLlamaOptions { VocabularySize = 15, Frozen = true });
            float[] before = TinyModel.Values(policy.Trained.ValueOf("lm_head.weight"));
            EmbeddingJitter.Apply(policy, 13, 5);
            float[] jittered = TinyModel.Values(policy.Trained.ValueOf("lm_head.weight"));
            Assert.Equal(before[..(13 * 8)], jittered[..(13 * 8)]);
            Assert.NotEqual(before[(13 * 8)..], jittered[(13 * 8)..]);
            RolloutPrompt[] prompts = [.. Enumerable.Range(0, 6).Select(i => new RolloutPrompt(i + 1, [1, 3 + i], $"{3 + i}"))];
            using var trainer = new QuarkTrainer(policy, reference, new TinyTokenizer(), new HighTokens(), prompts, o, [], []);
            trainer.Progress = (step, statistics) =>
            {
                Assert.Contains(statistics, s => s.Name == "train/kl_sum_seq" && s.Value >= 0);
                if (step == stop)
                {
                    throw new IOException("killed");
                }
            };
            if (stop is null)
            {
                trainer.Run();
            }
            else
            {
                Assert.Throws<IOException>(() => trainer.Run());
            }

            return TinyModel.Values(policy);
        }
    }

    [Fact]
    public void FeedMe_keeps_the_preferred_and_conditioning_labels_both()
    {
        PreferenceRow[] rows = [new("f, row 1", "a", null, "good", "bad", 1), new("f, row 2", "b", "x", "bad", "good", 2)];
        Assert.Equal(["good", "good"], FeedMe.Rows(rows).Select(r => r.Output));
        var conditioned = RewardConditioning.Rows(rows);
        Assert.Equal(["good", "bad", "good", "bad"], conditioned.Select(r => r.Output));
        Assert.Equal(["<reward_0>", "<reward_1>", "<reward_0>", "<reward_1>"], conditioned.Select(r => r.ControlToken));
    }

    [Fact]
    public void Planned_memory_is_what_is_allocated_within_a_tenth()
    {
        var config = TinyModel.Config with { VocabularySize = 600, HiddenSize = 64, IntermediateSize = 160, HeadDim = 32, MaxPositionEmbeddings = 64 };
        var options = new PpoOptions { OutputFolder = _folder.File("plan"), RolloutBatchSize = 8, RolloutMicroBatch = 4, StepBatchSize = 4, MaxSteps = 1, QueryLength = 16, ResponseLength = 16 };
        RolloutPrompt[] prompts = [.. Enumerable.Range(0, 6).Select(i => new RolloutPrompt(i + 1, [1, 3 + i], string.Empty))];
        using (var policy = TinyModel.Load(new TrainableLlamaOptions { MaxPositions = 32 }, config))
        using (var value = TinyModel.Load(new TrainableLlamaOptions { Head = ModelHead.Reward, ZeroHead = true, MaxPositions = 32 }, config))
        using (var reference = TinyModel.Load(new TrainableLlamaOptions { Frozen = true, MaxPositions = 32 }, config))
        using (var networks = new PpoNetworks(policy, value, reference, new TinyTokenizer(600), 0))
        using (var trainer = new PpoTrainer(networks, new HighTokens(), prompts, [], options, [], []))
        {
            Within(PpoMemoryPlan.For(config, config, config, PpoLayout.Full, null, false, DType.F32, false, options).Networks, trainer.AllocatedBytes);
        }

        var lora = new LoraOptions { Rank = 4, TargetModules = [LoraOptions.AllLinear] };
        using (var policy = TinyModel.Load(new TrainableLlamaOptions { Lora = lora, MaxPositions = 32 }, config))
        using (var value = TrainableLlama.Share(policy, new TrainableLlamaOptions { Head = ModelHead.Reward, ZeroHead = true, Lora = lora }))
        using (var networks = new PpoNetworks(policy, value, null, new TinyTokenizer(600), 0))
        using (var trainer = new PpoTrainer(networks, new HighTokens(), prompts, [], options with { OutputFolder = _folder.File("plan-lora") }, [], []))
        {
            Within(PpoMemoryPlan.For(config, config, config, PpoLayout.Lora, lora, true, DType.F32, false, options).Networks, trainer.AllocatedBytes);
        }

        static void Within(long planned, long allocated) => Assert.InRange(planned / (double)allocated, 0.9, 1.1);
    }

    [Fact]
    public void Adapters_on_seven_billion_parameters_plan_under_80_gigabytes_at_AlpacaFarms_batches()
    {
        var llama = new ModelConfig
        {
            VocabularySize = 32001,
            HiddenSize = 4096,
            IntermediateSize = 11008,
            Layers = 32,
            AttentionHeads = 32,
            KeyValueHeads = 32,
            HeadDim = 128,
            MaxPositionEmbeddings = 2048,
        };
        var lora = new LoraOptions { Rank = 64, TargetModules = [LoraOptions.AllLinear] };
        var options = new PpoOptions { OutputFolder = "none" };
        // A reward model of its own is the dearer case.
        var plan = PpoMemoryPlan.For(llama, llama, llama, PpoLayout.Lora, lora, sharedReward: false, DType.BF16, recompute: true, options);
        Assert.InRange(plan.Total, 30e9, 80e9);
        Assert.True(PpoMemoryPlan.For(llama, llama, llama, PpoLayout.Full, null, false, DType.BF16, true, options).Total > 200e9);
        Assert.Contains("planned memory", plan.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_pairwise_kernel_and_the_reward_task_agree()
    {
        var task = new PairwiseTask();
        float[] gradients = new float[2];
        using var memory = TinyModel.Backend.Allocate(256);
        Tensor rewards = memory.Tensor(DType.F32, 1, 2), choices = memory.Tensor(DType.I32, 1, 1, 64), losses = memory.Tensor(DType.F32, 1, 1, 128), slopes = memory.Tensor(DType.F32, 1, 2, 192);
        foreach (int choice in new[] { 0, 1 })
        {
            double loss = task.Loss(new TrainingExample([[1], [2]], Target: choice), [0.4f, -0.9f], gradients);
            TinyModel.Backend.Upload<float>([0.4f, -0.9f], rewards);
            TinyModel.Backend.Upload<int>([choice], choices);
            TinyModel.Backend.PairwiseLoss(rewards, choices, 1, losses, slopes);
            Assert.Equal(loss, TinyModel.Values(losses)[0], 1e-6);
            Assert.All(gradients.Zip(TinyModel.Values(slopes)), p => Assert.Equal(p.First, p.Second, 1e-6));
        }
    }

    private TrainerOptions Options(string name) => new()
    {
        OutputFolder = Directory.CreateDirectory(_folder.File(name)).FullName,
        MicroBatch = 2,
        Accumulation = 1,
        MaxSteps = 4,
        LearningRate = 0.01,
        WarmupRatio = 0,
        LoggingSteps = 1,
    };

    private sealed class HighTokens : IRewardSource
    {
        public float[] Score(IReadOnlyList<Rollout> rollouts, CancellationToken cancellation = default) => [.. rollouts.Select(r => r.Response.Count(t => t > 8) / (float)r.Response.Length)];
    }
}
