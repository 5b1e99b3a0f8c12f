using System.Text.Json.Nodes;
using Farm.Core;
using Farm.Training.Checkpoints;
using Farm.Training.Metrics;
using Farm.Training.Model;
using Farm.Training.Reinforcement;

namespace Farm.Training.Tests;

/// <summary>PPO on a two-layer model of random weights in float64: the loop, its statistics, resuming, and the details of the RLHF checklist that live in it.</summary>
public sealed class PpoTests : IDisposable
{
    private static readonly string[] Documented =
    [
        "objective/kl_coef", "objective/kl_sum_seq", "objective/kl_avg_seq", "objective/shaped_rewards", "objective/non_score_rewards", "objective/rewards", "objective/lr", "objective/entropies",
        "objective/ref_entropies", "ppo/loss/policy", "ppo/loss/value", "ppo/loss/total", "ppo/loss/grad_norm", "ppo/policy/entropy", "ppo/policy/approxkl", "ppo/policy/clipfrac", "ppo/returns/mean",
        "ppo/returns/var", "ppo/val/vpred", "ppo/val/error", "ppo/val/clipfrac", "ppo/val/mean", "ppo/val/var",
    ];

    private readonly TemporaryFolder _folder = new();

    private static RolloutPrompt[] Prompts => [.. Enumerable.Range(0, 6).Select(i => new RolloutPrompt(i + 1, i % 2 == 0 ? [1, 3 + i] : [1, 3 + i, 5], $"{3 + i}"))];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(PpoMode.Masked)]
    [InlineData(PpoMode.AlpacaFarm)]
    public void Rewards_rise_where_there_is_something_to_learn(PpoMode mode)
    {
        using var run = Create("rise", Options("rise", mode) with { MaxSteps = 12, LearningRate = 0.03, WarmupSteps = 0, KlCoefficient = 0.001, MissingEosPenalty = 0 });
        double first = Mean(run.Trainer.Step(1)), last = 0;
        for (int step = 2; step <= 12; step++)
        {
            last = Mean(run.Trainer.Step(step));
        }

        Assert.True(last > first + 0.3, $"{first} to {last}");

        static double Mean(IReadOnlyList<(string Name, double Value)> statistics) => statistics.First(s => s.Name == "objective/rewards").Value;
    }

    [Theory]
    [InlineData(1.0)]
    [InlineData(0.7)]
    public void Ratio_is_exactly_one_at_the_first_update_at_any_temperature(double temperature)
    {
        using var run = Create("ratio", Options("ratio") with { Temperature = temperature, UpdateEpochs = 1, StepBatchSize = 8, LearningRate = 0.1 });
        var statistics = run.Trainer.Step(1).ToDictionary(s => s.Name, s => s.Value);
        Assert.Equal(1, statistics["ppo/val/ratio"], 1e-7);
        Assert.Equal(0, statistics["ppo/val/ratio_var"], 1e-7);
        Assert.Equal(0, statistics["ppo/policy/clipfrac"]);
        Assert.Equal(0, statistics["ppo/policy/approxkl"], 1e-12);
    }

    [Fact]
    public void Kl_to_the_reference_is_exactly_zero_before_the_first_update()
    {
        using var run = Create("kl", Options("kl"));
        var rollouts = run.Trainer.Sample(1);
        run.Trainer.Score(rollouts);
        Assert.All(rollouts, r => Assert.Equal(r.LogProbs, r.ReferenceLogProbs));
    }

    [Fact]
    public void Sampler_and_trainer_agree_on_log_probabilities()
    {
        using var run = Create("agree", Options("agree"));
        run.Trainer.Step(1);
        var rollouts = run.Trainer.Sample(2);
        run.Trainer.Score(rollouts);
        Assert.All(rollouts, r => Assert.All(r.SampledLogProbs.Zip(r.LogProbs), pair => Assert.Equal(pair.First, pair.Second, 1e-5)));
        // The weights have moved since the reference was the policy.
        Assert.Contains(rollouts, r => r.LogProbs.Zip(r.ReferenceLogProbs).Any(p => Math.Abs(p.First - p.Second) > 1e-3));
    }

    [Fact]
    public void Value_head_starts_at_zero_so_all_first_values_are_zero()
    {
        using var run = Create("values", Options("values"));
        var rollouts = run.Trainer.Sample(1);
        run.Trainer.Score(rollouts);
        Assert.All(rollouts, r => Assert.All(r.Values, v => Assert.Equal(0f, v)));
    }

    [Fact]
    public void Values_and_rewards_read_the_query_too()
    {
        using var run = Create("query", Options("query"));
        run.Trainer.Step(1);
        Rollout[] Two() => [Sample([1, 3]), Sample([1, 4])];
        Rollout Sample(int[] prompt) => new() { Prompt = new RolloutPrompt(1, prompt, "x"), Response = [5, 6, 2], Text = "5 6", Ended = true, SampledLogProbs = [0, 0, 0] };
        var pair = Two();
        run.Trainer.Score(pair);
        Assert.NotEqual(pair[0].Values, pair[1].Values);
        using var reward = TinyModel.Load(new TrainableLlamaOptions { Head = ModelHead.Reward, Seed = 5 });
        using var workspace = reward.CreateWorkspace(32);
        float[] scores = new AdapterRewards(reward, workspace).Score(Two());
        Assert.NotEqual(scores[0], scores[1]);
    }

    [Theory]
    [InlineData(PpoMode.Masked, false)]
    [InlineData(PpoMode.AlpacaFarm, true)]
    public void A_resumed_run_ends_in_the_bits_of_an_uninterrupted_one(PpoMode mode, bool adaptive)
    {
        var options = Options("whole", mode) with { MaxSteps = 4, LearningRate = 0.05, AdaptiveKl = adaptive, TargetKl = 0.01 };
        float[] whole;
        using (var run = Create("whole", options))
        {
            run.Trainer.Run();
            whole = run.Values();
        }

        options = options with { OutputFolder = _folder.File("cut"), SaveSteps = 1, SaveTotalLimit = 2 };
        using (var run = Create("cut", options))
        {
            run.Trainer.Progress = (step, _) =>
            {
                if (step == 3)
                {
                    throw new IOException("killed");
                }
            };
            Assert.Throws<IOException>(() => run.Trainer.Run());
        }

        Assert.Equal([1, 2], new TrainingCheckpoints(_folder.File("cut")).Steps());
        using (var run = Create("cut", options with { Resume = true }))
        {
            Assert.Equal(2, run.Trainer.Run().ResumedFrom);
            Assert.Equal(whole, run.Values());
        }

        // The control: another seed ends elsewhere.
        using var other = Create("other", options with { OutputFolder = _folder.File("other"), Seed = 7 });
        other.Trainer.Run();
        Assert.NotEqual(whole, other.Values());
    }

    [Fact]
    public void Resuming_with_other_hyperparameters_lists_all_that_differ()
    {
        using (var run = Create("first", Options("first") with { SaveSteps = 1, MaxSteps = 1 }))
        {
            run.Trainer.Run();
        }

        using var again = Create("first", Options("first") with { SaveSteps = 1, MaxSteps = 1, Resume = true, KlCoefficient = 0.5, ClipRange = 0.1 });
        string message = Assert.Throws<BadInputException>(() => again.Trainer.Run()).Message;
        Assert.Contains("kl_coef was 0.0067 and is now 0.5", message, StringComparison.Ordinal);
        Assert.Contains("cliprange was 0.2 and is now 0.1", message, StringComparison.Ordinal);
        Assert.DoesNotContain("vf_coef", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(PpoMode.Masked)]
    [InlineData(PpoMode.AlpacaFarm)]
    public void The_size_of_micro_batches_changes_nothing_but_memory(PpoMode mode)
    {
        // Statistics of the original are of the last micro-batch, so only the weights are compared.
        float[] Run(int micro)
        {
            using var run = Create($"micro-{micro}", Options($"micro-{micro}", mode) with { StepMicroBatch = micro, LearningRate = 0.05, WarmupSteps = 0, MaxSteps = 3 });
            run.Trainer.Step(1);
            run.Trainer.Step(2);
            return run.Values();
        }

        float[] one = Run(1), four = Run(4);
        Assert.All(one.Zip(four), p => Assert.Equal(p.First, p.Second, 1e-5));
    }

    [Fact]
    public void Learning_rates_follow_the_specification()
    {
        using var original = Create("a4", Options("a4", PpoMode.AlpacaFarm) with { MaxSteps = 390, WarmupSteps = 5, LearningRate = 1 });
        double[] factors = [.. Enumerable.Range(1, 8).Select(original.Trainer.LearningRate)];
        Assert.All(factors.Zip([0, 0.2, 0.4, 0.6, 0.8, 1, 0.997403, 0.994805]), p => Assert.Equal(p.Second, p.First, 1e-6));
        Assert.Equal(0.002597, original.Trainer.LearningRate(390), 1e-6);
        using var masked = Create("lr", Options("lr") with { MaxSteps = 390, WarmupSteps = 5, LearningRate = 1 });
        Assert.Equal(0.2, masked.Trainer.LearningRate(1), 1e-12);
        Assert.True(masked.Trainer.LearningRate(390) > 0);
    }

    [Fact]
    public void AlpacaFarms_first_step_learns_nothing_and_the_masked_one_does()
    {
        using var original = Create("zero", Options("zero", PpoMode.AlpacaFarm) with { LearningRate = 0.1, WarmupSteps = 2, MaxSteps = 5 });
        float[] before = original.Values();
        original.Trainer.Step(1);
        Assert.Equal(before, original.Values());
        using var masked = Create("learns", Options("learns") with { LearningRate = 0.1, WarmupSteps = 2, MaxSteps = 5 });
        masked.Trainer.Step(1);
        Assert.NotEqual(before, masked.Values());
    }

    [Theory]
    [InlineData(PpoMode.Masked)]
    [InlineData(PpoMode.AlpacaFarm)]
    public void Padding_that_is_the_end_token_changes_nothing(PpoMode mode)
    {
        float[] Run(int padId)
        {
            using var run = Create($"pad-{padId}", Options($"pad-{padId}", mode) with { WarmupSteps = 0, LearningRate = 0.05, MaxSteps = 3 }, padId: padId);
            run.Trainer.Step(1);
            return run.Values();
        }

        Assert.Equal(Run(0), Run(2));
    }

    [Fact]
    public void Defaults_are_AlpacaFarms()
    {
        var options = new PpoOptions { OutputFolder = "none" };
        Assert.Equal((1, 1, 0.2, 0.2, 0.1), (options.Gamma, options.GaeLambda, options.ClipRange, options.ClipRangeValue, options.ValueCoefficient));
        Assert.Equal((512, 256, 2, 2, 10), (options.RolloutBatchSize, options.StepBatchSize, options.StepMicroBatch, options.UpdateEpochs, options.TotalEpochs));
        Assert.Equal((192, 300, 1e-5, 1.0, 0.0067), (options.QueryLength, options.ResponseLength, options.AdamW.Epsilon, options.MaxGradNorm, options.KlCoefficient));
        Assert.True((options with { Mode = PpoMode.AlpacaFarm }).WhitensRewards);
        Assert.False(options.WhitensRewards);
    }

    [Fact]
    public void Responses_share_their_prompt_and_differ()
    {
        using var run = Create("several", Options("several") with { ResponsesPerPrompt = 4, RolloutMicroBatch = 2 });
        var rollouts = run.Trainer.Sample(1);
        Assert.Equal(8, rollouts.Count);
        Assert.Equal(2, rollouts.Select(r => r.Prompt.Row).Distinct().Count());
        Assert.True(rollouts.Select(r => string.Join(' ', r.Response)).Distinct().Count() > 4);
        Assert.NotEqual(rollouts.Select(r => r.Response), run.Trainer.Sample(2).Select(r => r.Response));
        Assert.Equal(rollouts.Select(r => string.Join(' ', r.Response)), run.Trainer.Sample(1).Select(r => string.Join(' ', r.Response)));
    }

    [Fact]
    public void The_score_lands_on_the_last_token_and_on_the_last_cell_of_an_empty_row()
    {
        Assert.Equal([-0.5f, -1f, 3f, 0f], AdvantageEstimator.Shape([0.5f, 1, 0, 0], 3, 3, 1));
        Assert.Equal([0f, 0f, 0f, 3f], AdvantageEstimator.Shape([0, 0, 0, 0], 3, 0, 1));
    }

    [Fact]
    public void A_response_without_an_end_or_without_its_token_pays()
    {
        Rollout Make(int[] response, bool ended) => new()
        {
            Prompt = Prompts[0],
            Response = response,
            Text = string.Join(' ', response.Where(t => t > 2)),
            Ended = ended,
            SampledLogProbs = [],
            Reward = 2,
        };
        Rollout[] two = [Make([5, 2], true), Make([5, 6], false)];
        RewardPenalties.Apply(two, Options("eos"), new TinyTokenizer());
        Assert.Equal([2f, 1f], two.Select(r => r.Reward));
        Rollout[] three = [Make([5, 7, 2], true), Make([7, 6, 2], true), Make([5, 5, 2], true)];
        RewardPenalties.Apply(three, Options("truncate") with { TruncateTokens = [7], TruncateAfter = 0 }, new TinyTokenizer());
        Assert.Equal([2f, -1f, -1f], three.Select(r => r.Reward));
    }

    [Fact]
    public void Passes_without_dropout_are_bitwise_the_same_and_dropout_is_refused()
    {
        using var run = Create("twice", Options("twice"));
        var rollouts = run.Trainer.Sample(1);
        run.Trainer.Score(rollouts);
        float[] first = [.. rollouts.SelectMany(r => r.LogProbs)];
        run.Trainer.Score(rollouts);
        Assert.Equal(first, rollouts.SelectMany(r => r.LogProbs));
        using var policy = TinyModel.Load(new TrainableLlamaOptions { Lora = new LoraOptions { Rank = 2, Dropout = 0.1 } });
        using var value = TinyModel.Load(new TrainableLlamaOptions { Head = ModelHead.Reward });
        Assert.Contains("--lora-dropout", Assert.Throws<BadInputException>(() => new PpoNetworks(policy, value, null, new TinyTokenizer(), 0)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Adapters_learn_and_the_base_stays_the_reference()
    {
        var lora = new LoraOptions { Rank = 2, TargetModules = [LoraOptions.AllLinear] };
        using var policy = TinyModel.Load(new TrainableLlamaOptions { Lora = lora });
        using var value = TrainableLlama.Share(policy, new TrainableLlamaOptions { Head = ModelHead.Reward, ZeroHead = true, Lora = lora, Seed = 1 });
        using var networks = new PpoNetworks(policy, value, null, new TinyTokenizer(), 0);
        float[] frozen = TinyModel.Values(policy.Base.ValueOf("model.embed_tokens.weight")), before = TinyModel.Values(policy);
        using var trainer = new PpoTrainer(networks, new CountRewards(), Prompts, [], Options("lora") with { LearningRate = 0.05, MaxSteps = 2 }, [], []);
        var first = trainer.Sample(1);
        trainer.Score(first);
        Assert.All(first, r => Assert.Equal(r.LogProbs, r.ReferenceLogProbs));
        trainer.Step(1);
        var second = trainer.Sample(2);
        trainer.Score(second);
        Assert.Contains(second, r => !r.LogProbs.SequenceEqual(r.ReferenceLogProbs));
        Assert.All(second, r => Assert.All(r.SampledLogProbs.Zip(r.LogProbs), pair => Assert.Equal(pair.First, pair.Second, 1e-5)));
        Assert.Equal(frozen, TinyModel.Values(policy.Base.ValueOf("model.embed_tokens.weight")));
        Assert.NotEqual(before, TinyModel.Values(policy));
    }

    [Fact]
    public void A_reward_that_is_not_finite_names_its_row()
    {
        using var run = Create("nan", Options("nan"), new CountRewards { Bad = 3 });
        Assert.Matches("^Row [1-6]: the reward of the response is not a finite number", Assert.Throws<BadInputException>(() => run.Trainer.Step(1)).Message);
    }

    [Fact]
    public void The_best_evaluation_keeps_its_policy()
    {
        var saved = new List<string>();
        using var run = Create("best", Options("best") with { MaxSteps = 3, EvalSteps = 1 }, eval: Prompts[..2]);
        double[] ranks = [0.3, 0.9, 0.5];
        run.Trainer.SavePolicy = saved.Add;
        run.Trainer.Evaluated = (step, _) => ranks[step - 1];
        var summary = run.Trainer.Run();
        Assert.Equal((2, 0.9), (summary.BestStep, summary.BestEvaluation));
        Assert.Equal(["best", "best"], saved);
    }

    [Fact]
    public void Every_statistic_of_AlpacaFarm_is_logged()
    {
        string file = _folder.File("metrics.jsonl");
        using var lines = new JsonLinesSink(file);
        using (var run = Create("stats", Options("stats", PpoMode.AlpacaFarm) with { MaxSteps = 1 }, null, null, 0, lines))
        {
            run.Trainer.Run();
        }

        var names = JsonLinesSink.Read(file)[0].Values.Select(v => v.Name).ToHashSet();
        Assert.All(Documented, name => Assert.Contains(name, names));
    }

    [Theory]
    [InlineData(nameof(PpoOptions.KlCoefficient), "--kl-coef must be at least 0, not -1")]
    [InlineData(nameof(PpoOptions.StepBatchSize), "--step-batch-size 3 does not divide --rollout-batch-size 8")]
    [InlineData(nameof(PpoOptions.ResponseLength), "--response-len 40 leaves no room for a prompt in the model's context of 32")]
    [InlineData(nameof(PpoOptions.QueryLength), "together are more than the model's context")]
    [InlineData(nameof(PpoOptions.ClipRange), "--cliprange must be over 0")]
    [InlineData(nameof(PpoOptions.Temperature), "--temperature must be over 0")]
    public void Bad_settings_are_refused(string setting, string expected)
    {
        var options = Options("bad");
        options = setting switch
        {
            nameof(PpoOptions.KlCoefficient) => options with { KlCoefficient = -1 },
            nameof(PpoOptions.StepBatchSize) => options with { StepBatchSize = 3 },
            nameof(PpoOptions.ResponseLength) => options with { ResponseLength = 40 },
            nameof(PpoOptions.QueryLength) => options with { QueryLength = 30 },
            nameof(PpoOptions.ClipRange) => options with { ClipRange = 0 },
            _ => options with { Temperature = 0 },
        };
        Assert.Contains(expected, Assert.Throws<BadInputException>(() => options.Validate(32)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Prompts_over_the_query_length_are_dropped_and_too_few_are_refused()
    {
        using var run = Create("drop", Options("drop") with { QueryLength = 2, RolloutMicroBatch = 2 });
        Assert.Equal((3, 3), (run.Trainer.Dropped, run.Trainer.Prompts));
        Assert.Contains("no prompt to learn on", Assert.Throws<BadInputException>(() => Create("none", Options("none") with { QueryLength = 1 })).Message, StringComparison.Ordinal);
    }

    private static float[] Concat(TrainableLlama one, TrainableLlama two) => [.. TinyModel.Values(one), .. TinyModel.Values(two)];

    private PpoOptions Options(string name, PpoMode mode = PpoMode.Masked) => new()
    {
        OutputFolder = Directory.CreateDirectory(_folder.File(name)).FullName,
        Mode = mode,
        Quirks = PpoQuirks.Of(mode) with { TextRewards = false },
        RolloutBatchSize = 8,
        RolloutMicroBatch = 4,
        StepBatchSize = 4,
        StepMicroBatch = 2,
        MaxSteps = 4,
        QueryLength = 4,
        ResponseLength = 6,
        LearningRate = 0.01,
        WarmupSteps = 1,
        KlCoefficient = 0.0067,
    };

    private static Running Create(string name, PpoOptions options, IRewardSource? rewards = null, RolloutPrompt[]? eval = null, int padId = 0, params IMetricSink[] sinks)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var policy = TinyModel.Load();
        var value = TinyModel.Load(new TrainableLlamaOptions { Head = ModelHead.Reward, ZeroHead = true });
        var reference = TinyModel.Load(new TrainableLlamaOptions { Frozen = true });
        var networks = new PpoNetworks(policy, value, reference, new TinyTokenizer(), padId);
        networks.Own(policy);
        networks.Own(value);
        networks.Own(reference);
        try
        {
            return new Running(networks, new PpoTrainer(networks, rewards ?? new CountRewards(), Prompts, eval ?? [], options, new JsonObject { ["data"] = "six" }, sinks));
        }
        catch
        {
            networks.Dispose();
            throw;
        }
    }

    private sealed record Running(PpoNetworks Networks, PpoTrainer Trainer) : IDisposable
    {
        public float[] Values() => Concat(Networks.Policy, Networks.Value);

        public void Dispose()
        {
            Trainer.Dispose();
            Networks.Dispose();
        }
    }

    /// <summary>Rewards the share of tokens over 8.</summary>
    private sealed class CountRewards : IRewardSource
    {
        public int Bad { get; init; } = -1;

        public float[] Score(IReadOnlyList<Rollout> rollouts, CancellationToken cancellation = default) =>
            [.. rollouts.Select((r, i) => i == Bad ? float.NaN : 2f * r.Response.Count(t => t > 8) / r.Response.Length)];
    }
}
