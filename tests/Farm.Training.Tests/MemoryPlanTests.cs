using Farm.Core;
using Farm.Models.Configuration;
using Farm.Models.Llama;
using Farm.Reference;
using Farm.Training.Data;
using Farm.Training.Methods;
using Farm.Training.Model;
using Farm.Training.Reinforcement;
using Farm.Training.Tasks;

namespace Farm.Training.Tests;

/// <summary>Planned memory against what a device was asked for at most: networks, moments, workspaces and logits.</summary>
public sealed class MemoryPlanTests : IDisposable
{
    private static readonly ModelConfig Config = TinyModel.Config with { VocabularySize = 600, HiddenSize = 64, IntermediateSize = 160, HeadDim = 32, MaxPositionEmbeddings = 64 };
    private static readonly LoraOptions Adapters = new() { Rank = 4, TargetModules = [LoraOptions.AllLinear] };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, bool, bool, bool> Runs => new()
    {
        { "sft", false, false, false },
        { "sft", false, true, false },
        { "sft", true, false, false },
        { "sft", true, true, true },
        { "sft", false, false, true },
        { "reward", false, false, false },
        { "reward", true, false, false },
        { "dpo", false, false, false },
        { "dpo", true, true, false },
    };

    [Theory]
    [MemberData(nameof(Runs))]
    public void A_trainer_takes_what_is_planned_within_a_tenth(string task, bool adapters, bool recompute, bool bf16)
    {
        using var backend = new ReferenceBackend();
        var options = new TrainableLlamaOptions
        {
            Head = task == "reward" ? ModelHead.Reward : ModelHead.Language,
            VocabularySize = task == "reward" ? null : 601,
            Lora = adapters ? Adapters : null,
            Recompute = recompute,
            DType = bf16 ? DType.BF16 : DType.F32,
            MaxPositions = 32,
        };
        TrainingExample[] examples = [.. Enumerable.Range(0, 6).Select(i => task == "sft"
            ? new TrainingExample([Ids(20 + i, i)], FirstLabel: 4)
            : new TrainingExample([Ids(14 + i, i), Ids(12, i + 1)], FirstLabel: 4, Target: i % 2))];
        var run = new TrainerOptions { OutputFolder = _folder.File("run"), MicroBatch = 2, Accumulation = 2, MaxSteps = 1, LearningRate = 1e-3 };
        using (var model = TinyModel.Load(options, Config, backend))
        {
            if (task == "dpo")
            {
                using var workspace = model.CreateWorkspace(Trainer.RowsOfPass(examples, [], run), backward: false);
                examples = [.. SequenceLogProbs.WithReference(model, workspace, examples, "tiny", _folder.File("cache")).Examples];
            }

            using var trainer = new Trainer(model, task switch { "sft" => new SftTask(), "reward" => new PairwiseTask(), _ => new DpoTask(0.1) }, examples, [], run, [], []);
            trainer.Update(0);
        }

        Assert.Equal(0, backend.AllocatedBytes);
        Within(TrainingMemoryPlan.For(Config, options, Trainer.RowsOfPass(examples, [], run), backend).Total, backend.MostAllocatedBytes);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Quark_takes_what_is_planned_within_a_tenth(bool recompute)
    {
        using var backend = new ReferenceBackend();
        var options = new QuarkOptions
        {
            OutputFolder = _folder.File("quark"),
            RolloutBatchSize = 4,
            RolloutMicroBatch = 4,
            StepBatchSize = 4,
            StepMicroBatch = 2,
            MaxSteps = 1,
            RewardTokens = 2,
            QueryLength = 15,
            ResponseLength = 8,
        };
        var shape = Config with { VocabularySize = 602 };
        RolloutPrompt[] prompts = [.. Enumerable.Range(0, 6).Select(i => new RolloutPrompt(i + 1, Ids(15, i), string.Empty))];
        using var policy = TinyModel.Load(new TrainableLlamaOptions { VocabularySize = 602, MaxPositions = 32, Recompute = recompute }, Config, backend);
        using var reference = TinyModel.Load(new TrainableLlamaOptions { VocabularySize = 602, MaxPositions = 32, Recompute = recompute, Frozen = true }, Config, backend);
        using var trainer = new QuarkTrainer(policy, reference, new TinyTokenizer(600), new Constant(), prompts, options, [], []);
        Within(QuarkMemoryPlan.For(shape, Config, DType.F32, recompute, options, backend).Networks, backend.MostAllocatedBytes);
    }

    [Fact]
    public void A_reward_model_on_the_policys_base_takes_what_is_planned_within_a_tenth()
    {
        using var backend = new ReferenceBackend();
        var options = new PpoOptions { OutputFolder = _folder.File("none"), RolloutBatchSize = 4, RolloutMicroBatch = 4, StepBatchSize = 4, QueryLength = 16, ResponseLength = 16 };
        using var policy = TinyModel.Load(new TrainableLlamaOptions { Lora = Adapters, MaxPositions = 32 }, Config, backend);
        long before = backend.AllocatedBytes;
        using var reward = TrainableLlama.Share(policy, new TrainableLlamaOptions { Head = ModelHead.Reward, Lora = Adapters, Frozen = true });
        using var workspace = reward.CreateWorkspace(PpoMemoryPlan.SharedScoringRows(32), backward: false);
        var plan = PpoMemoryPlan.For(Config, Config, Config, PpoLayout.Lora, Adapters, sharedReward: true, DType.F32, recompute: false, options, backend);
        Within(plan.Items.Single(i => i.Name == "reward model").Bytes, backend.AllocatedBytes - before);

        // Passes that nothing is sent back from keep the inputs of layers alone.
        using var whole = reward.CreateWorkspace(64);
        Assert.Equal(Rewards(whole), Rewards(workspace));
        Assert.True(workspace.Bytes / (double)workspace.MaxRows < whole.Bytes / (double)whole.MaxRows);

        float[] Rewards(TrainingWorkspace memory)
        {
            var batch = new PackedBatch();
            int[] rows = [.. new[] { Ids(9, 1), Ids(12, 2) }.Select(ids => batch.Add(ids) + ids.Length - 1)];
            var rewards = new float[rows.Length];
            reward.Forward(batch, memory, training: false);
            reward.Rewards(memory, rows, rewards);
            return rewards;
        }
    }

    [Theory]
    [InlineData(1, 192, 300)]
    [InlineData(32, 192, 300)]
    [InlineData(64, 15, 8)]
    public void A_scorer_is_planned_the_keys_and_values_that_it_reserves(int width, int query, int response)
    {
        var options = new PpoOptions { OutputFolder = "none", RolloutBatchSize = 64, RolloutMicroBatch = width, QueryLength = query, ResponseLength = response };
        long pages = PpoMemoryPlan.ScoringKvBytes(Config, DType.F32, options) / (KvPool.PageTokens * MemoryPlan.KvBytesPerToken(Config, DType.F32));
        int one = KvPool.PagesFor(query) + KvPool.PagesFor(response);
        Assert.Equal(Math.Min(2 * width * one, 32 + 128), pages);
    }

    private static int[] Ids(int count, int seed) => [.. Enumerable.Range(0, count).Select(i => 3 + (((i * 7) + (seed * 11)) % 500))];

    private static void Within(long planned, long held) => Assert.True(planned / (double)held is > 0.9 and < 1.1, $"planned {planned}, held {held}: {planned / (double)held:F3}");

    private sealed class Constant : IRewardSource
    {
        public float[] Score(IReadOnlyList<Rollout> rollouts, CancellationToken cancellation = default) => new float[rollouts.Count];
    }
}
