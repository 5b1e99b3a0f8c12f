using System.Text.Json.Nodes;
using Farm.Cli.Data;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Training.Checkpoints;
using Farm.Training.Metrics;
using Farm.Training.Model;
using Farm.Training.Reinforcement;

namespace Farm.Cli.Engine;

/// <summary>A run of PPO from model folders to the saved policy.</summary>
internal sealed class PpoRun(FeedbackSession session, PpoOptions options)
{
    /// <summary>Ranks the policy of an evaluation by its responses; null for the mean reward.</summary>
    public Func<int, IReadOnlyList<Rollout>, double?>? Ranks { get; init; }

    /// <summary>Reports nothing on standard output.</summary>
    public bool Quiet { get; init; }

    /// <summary>Keeps queries and responses of each step in a file.</summary>
    public bool KeepsRollouts { get; init; } = true;

    /// <summary>Runs it.</summary>
    /// <exception cref="BadInputException">An option does not fit the models or the data.</exception>
    /// <exception cref="InterruptedRunException">It was cancelled.</exception>
    public PpoSummary Run(CancellationToken cancellation)
    {
        var settings = session.Settings;
        options.Validate(session.Context);
        var (train, _) = session.Prompts(settings.Input);
        var (eval, evalRows) = settings.Eval is { } file ? session.Prompts(file) : ([], []);
        string? adapter = session.RewardAdapter;
        var policyShape = session.Policy.Config with { VocabularySize = session.Resize.VocabularySize };
        bool fromReward = settings.InitValueWithReward;
        using var backend = Backends.Create(settings.Device, settings.Threads, settings.Bf16Activations);
        var plan = PpoMemoryPlan.For(
            policyShape, fromReward ? session.Reward.Config : policyShape, session.Reward.Config, settings.Layout, settings.Lora, adapter is not null, settings.DType, settings.Recompute, options, backend, eval.Count,
            FeedbackSession.Longest(train, options.QueryLength, eval));
        Console.Error.WriteLine(plan);
        Backends.RequireMemory(backend, plan.Total, plan.Scratch, FeedbackSession.LessMemory);
        using var checkpoint = Checkpoint.Open(settings.Policy);
        using var networks = Load(backend, checkpoint, adapter, out var rewards);
        session.Begin();
        string metrics = Path.Combine(settings.Output, "metrics.jsonl");
        using var lines = new JsonLinesSink(metrics);
        using var events = new TensorBoardSink(Path.Combine(settings.Output, "tensorboard"));
        using var console = new ConsoleSink();
        using var trainer = new PpoTrainer(networks, rewards, train, eval, options, new JsonObject
        {
            ["policy_model"] = session.Policy.Fingerprint()["sha256"]!.DeepClone(),
            ["reward_model"] = session.Reward.Fingerprint()["sha256"]!.DeepClone(),
            ["data"] = FeedbackSession.Digest(train),
            ["layout"] = $"{settings.Layout}",
            ["init_value_with_reward"] = fromReward,
        }, [lines, events, console]);
        if (trainer.Dropped > 0)
        {
            Console.Error.WriteLine($"{trainer.Dropped} prompts of more than --query-len {options.QueryLength} tokens are dropped.");
        }

        Console.Error.WriteLine(FormattableString.Invariant(
            $"{networks.Policy.Trained.Count / 1e6:F2} M parameters of the policy to train, {trainer.Prompts} prompts, {trainer.TotalSteps} steps of {options.RolloutBatchSize} responses, mode {options.Mode.ToString().ToLowerInvariant()}."));
        trainer.SavePolicy = name => session.Save(networks.Policy, checkpoint, Path.Combine(settings.Output, name));
        trainer.Rollouts = KeepsRollouts ? session.SaveRollouts : null;
        trainer.Evaluated = (step, rollouts) =>
        {
            session.SaveEvaluation(step, rollouts, evalRows);
            return Ranks?.Invoke(step, rollouts);
        };
        PpoSummary summary;
        try
        {
            summary = trainer.Run(cancellation);
        }
        catch (OperationCanceledException)
        {
            throw new InterruptedRunException($"Interrupted; a checkpoint is in {settings.Output} if a step was done, and --resume goes on from it.");
        }

        session.Save(networks.Policy, checkpoint, settings.Output);
        if (!Quiet)
        {
            session.Report("ppo", summary, metrics, plan);
        }

        return summary;
    }

    // The reward model's adapters where they have the value network's shape, under a head of zero; else the value network starts from the base.
    private static void StartFromReward(TrainableLlama value, string adapter)
    {
        LoraOptions found = PeftAdapter.ReadOptions(adapter), own = value.Options.Lora!;
        if (found.Rank != own.Rank || found.Alpha != own.Alpha || !found.TargetModules.Order().SequenceEqual(own.TargetModules.Order()))
        {
            Console.Error.WriteLine("The reward model's adapters have another shape than --lora-rank, --lora-alpha and --lora-target-modules say, so the value network starts from the base.");
            return;
        }

        PeftAdapter.Load(value, adapter, TensorNames.RewardPrefix);
        foreach (string name in new[] { TensorNames.RewardHeadWeight, TensorNames.RewardHeadBias })
        {
            var head = value.Trained.ValueOf(name);
            value.Backend.Scale(head, 0, head);
        }
    }

    private PpoNetworks Load(IReinforcementBackend backend, ICheckpoint checkpoint, string? adapter, out IRewardSource rewards)
    {
        var settings = session.Settings;
        var common = new TrainableLlamaOptions
        {
            DType = settings.DType,
            Lora = settings.Lora,
            Recompute = settings.Recompute,
            Seed = options.Seed,
            MaxPositions = Math.Min(session.Context, options.QueryLength + options.ResponseLength),
        };
        var owned = new Stack<IDisposable>();
        try
        {
            var policy = Keep(TrainableLlama.Load(backend, checkpoint, session.Policy.Config, common with { VocabularySize = session.Resize.VocabularySize }));
            var valueOptions = common with { Head = ModelHead.Reward, ZeroHead = true, Seed = options.Seed + 1 };
            TrainableLlama value;
            TrainableLlama? reference = null;
            using var rewardCheckpoint = Checkpoint.Open(settings.Reward);
            if (settings.Layout == PpoLayout.Full)
            {
                value = Keep(settings.InitValueWithReward
                    ? TrainableLlama.Load(backend, rewardCheckpoint, session.Reward.Config, valueOptions with { FromReward = true })
                    : TrainableLlama.Load(backend, checkpoint, session.Policy.Config, valueOptions with { VocabularySize = session.Resize.VocabularySize }));
                reference = Keep(TrainableLlama.Load(backend, checkpoint, session.Policy.Config, common with { VocabularySize = session.Resize.VocabularySize, Frozen = true }));
            }
            else
            {
                value = Keep(TrainableLlama.Share(policy, valueOptions));
                if (adapter is not null && settings.InitValueWithReward)
                {
                    StartFromReward(value, adapter);
                }
            }

            if (adapter is null)
            {
                var (model, scorer) = session.LoadScorer(backend, options);
                Keep(model);
                rewards = new ScorerRewards(Keep(scorer), options.Departures.TextRewards, options.Departures.TextRewards ? TokenizationSpaces.CleanUp : null);
            }
            else
            {
                var adapters = PeftAdapter.ReadOptions(adapter);
                var model = Keep(TrainableLlama.Share(policy, common with { Head = ModelHead.Reward, Lora = adapters with { Dropout = 0 }, Frozen = true }));
                PeftAdapter.Load(model, adapter, TensorNames.RewardPrefix);
                rewards = new AdapterRewards(model, Keep(model.CreateWorkspace(PpoMemoryPlan.SharedScoringRows(common.MaxPositions!.Value), backward: false)));
                if (options.Departures.TextRewards)
                {
                    throw new BadInputException("--text-rewards: a reward model on the policy's base reads the sampled ids; leave --text-rewards out, or use --layout full.");
                }
            }

            var networks = new PpoNetworks(policy, value, reference, session.Tokenizer, session.Resize.PadId);
            foreach (var item in owned.Reverse())
            {
                networks.Own(item);
            }

            return networks;
        }
        catch
        {
            while (owned.TryPop(out var item))
            {
                item.Dispose();
            }

            throw;
        }

        T Keep<T>(T item)
            where T : IDisposable
        {
            owned.Push(item);
            return item;
        }
    }
}
