using Farm.Core;
using Farm.Inference;
using Farm.Models.Checkpoints;
using Farm.Models.Llama;
using Farm.Training.Model;
using Farm.Training.Reinforcement;

namespace Farm.Cuda.Tests.EndToEnd;

/// <summary>What a step of learning from feedback did: the rollouts, its statistics, and the weights before and after.</summary>
internal sealed record FeedbackResult(IReadOnlyList<Rollout> Rollouts, IReadOnlyDictionary<string, double> Statistics, float[] Start, float[] End)
{
    /// <summary>Distance between the weights of two runs over the distance that the first one's have moved.</summary>
    public double Apart(FeedbackResult other)
    {
        double moved = 0, apart = 0;
        for (int i = 0; i < End.Length; i++)
        {
            moved += Math.Pow((double)End[i] - Start[i], 2);
            apart += Math.Pow((double)End[i] - other.End[i], 2);
        }

        Assert.True(moved > 0, "nothing was learned");
        return Math.Sqrt(apart / moved);
    }
}

/// <summary>The networks of a run of PPO over <see cref="TinyLlama"/>, on any backend.</summary>
internal sealed class FeedbackRun : IDisposable
{
    private readonly PpoTrainer _trainer;
    private readonly PpoNetworks _networks;

    public FeedbackRun(IReinforcementBackend backend, TinyLlama models, PpoOptions options, PpoLayout layout)
    {
        var lora = layout == PpoLayout.Lora ? new LoraOptions { Rank = 4, TargetModules = [LoraOptions.AllLinear] } : null;
        var common = new TrainableLlamaOptions { Lora = lora, Seed = 1, MaxPositions = 32 };
        var value = common with { Head = ModelHead.Reward, ZeroHead = true, Seed = 2 };
        using var checkpoint = Checkpoint.Open(models.Decoder);
        var policy = TrainableLlama.Load(backend, checkpoint, TinyLlama.Config, common);
        IRewardSource rewards;
        if (layout == PpoLayout.Full)
        {
            var values = TrainableLlama.Load(backend, checkpoint, TinyLlama.Config, value);
            var reference = TrainableLlama.Load(backend, checkpoint, TinyLlama.Config, common with { Frozen = true });
            _networks = new PpoNetworks(policy, values, reference, new NumberTokenizer(), padId: 2);
            _networks.Own(policy);
            _networks.Own(values);
            _networks.Own(reference);
            using var judge = Checkpoint.Open(models.Scorer);
            var reward = _networks.Own(RewardModel.Load(backend, judge, TinyLlama.Config, DType.F32));
            rewards = new ScorerRewards(_networks.Own(new Scorer(reward, new NumberTokenizer())), asText: options.Departures.TextRewards);
        }
        else
        {
            var values = TrainableLlama.Share(policy, value);
            var reward = TrainableLlama.Share(policy, common with { Head = ModelHead.Reward, Seed = 3, Frozen = true });
            _networks = new PpoNetworks(policy, values, reference: null, new NumberTokenizer(), padId: 2);
            _networks.Own(policy);
            _networks.Own(values);
            _networks.Own(reward);
            rewards = new AdapterRewards(reward, _networks.Own(reward.CreateWorkspace(64)));
        }

        _trainer = new PpoTrainer(_networks, rewards, Prompts, [], options, [], []);
    }

    /// <summary>Prompts of unequal lengths; texts end with a space, so that a response's text can follow.</summary>
    public static RolloutPrompt[] Prompts { get; } = [.. Enumerable.Range(0, 5).Select(i =>
    {
        string text = string.Concat(Enumerable.Range(0, 2 + (2 * i)).Select(t => $"{3 + (((t * 7) + (i * 11)) % 120)} "));
        return new RolloutPrompt(i, new NumberTokenizer().Encode(text), text);
    })];

    /// <summary>Settings of a step of four updates; the original whitens over eight responses at least.</summary>
    public static PpoOptions Options(PpoMode mode) => new()
    {
        OutputFolder = Path.GetTempPath(),
        Mode = mode,
        // Else the original's only step would learn nothing.
        Quirks = PpoQuirks.Of(mode) with { ZeroFirstLearningRate = false },
        RolloutBatchSize = mode == PpoMode.AlpacaFarm ? 8 : 4,
        RolloutMicroBatch = 4,
        StepBatchSize = mode == PpoMode.AlpacaFarm ? 4 : 2,
        StepMicroBatch = 2,
        MaxSteps = 1,
        UpdateEpochs = 2,
        LearningRate = 2e-3,
        WarmupSteps = 0,
        KlCoefficient = 0.05,
        QueryLength = 16,
        ResponseLength = 6,
        Seed = 5,
    };

    /// <summary>One outer step.</summary>
    public FeedbackResult Step()
    {
        IReadOnlyList<Rollout> rollouts = [];
        _trainer.Rollouts = (_, drawn) => rollouts = drawn;
        float[] start = Weights(_networks.Policy, _networks.Value);
        var statistics = _trainer.Step(1);
        return new FeedbackResult(
            rollouts, statistics.Where(s => !s.Name.StartsWith("time/", StringComparison.Ordinal)).ToDictionary(s => s.Name, s => s.Value), start, Weights(_networks.Policy, _networks.Value));
    }

    public void Dispose()
    {
        _trainer.Dispose();
        _networks.Dispose();
    }

    /// <summary>All that is trained in some models.</summary>
    public static float[] Weights(params TrainableLlama[] models) => [.. models.SelectMany(m => m.Trained.Parameters.SelectMany(p =>
    {
        var values = new float[p.Value.Count];
        m.Backend.Download(p.Value, values.AsSpan());
        return values;
    }))];
}
