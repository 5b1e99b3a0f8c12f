using System.CommandLine;
using System.Text.Json.Nodes;
using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Models.Checkpoints;
using Farm.Training.Methods;
using Farm.Training.Metrics;
using Farm.Training.Model;
using Farm.Training.Reinforcement;

namespace Farm.Cli.Verbs;

/// <summary><c>farm quark</c>: quantised reward conditioning.</summary>
internal static class QuarkVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var flags = new QuarkFlags();
        var command = new Command("quark", "Trains a fine-tuned model on the best of its own responses by a reward model, near the model it was.");
        flags.AddTo(command);
        command.SetAction(result =>
        {
            var (settings, options) = flags.Read(result);
            Run(new FeedbackSession(settings, options.Resume), options, quiet: false, cancellation);
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>Runs Quark from model folders to the saved policy.</summary>
    internal static PpoSummary Run(FeedbackSession session, QuarkOptions options, bool quiet, CancellationToken cancellation)
    {
        var settings = session.Settings;
        options.Validate(session.Context);
        var (train, _) = session.Prompts(settings.Input);
        // Checks before weights are loaded that the tokenizer takes the tokens.
        ExtendedTokenizer.Load(settings.Policy, session.Resize.Added ? session.Resize.PadId : null, options.Tokens, session.Resize.VocabularySize);
        using var backend = Backends.Create(settings.Device, settings.Threads, settings.Bf16Activations);
        var plan = QuarkMemoryPlan.For(
            session.Policy.Config with { VocabularySize = session.Resize.VocabularySize + options.RewardTokens }, session.Reward.Config, settings.DType, settings.Recompute, options, backend,
            FeedbackSession.Longest(train, options.QueryLength));
        Console.Error.WriteLine(plan);
        Backends.RequireMemory(backend, plan.Total, plan.Scratch, FeedbackSession.LessMemory);
        using var checkpoint = Checkpoint.Open(settings.Policy);
        var common = new TrainableLlamaOptions
        {
            DType = settings.DType,
            Recompute = settings.Recompute,
            Seed = options.Seed,
            MaxPositions = Math.Min(session.Context, options.QueryLength + 1 + options.ResponseLength),
            VocabularySize = session.Resize.VocabularySize + options.RewardTokens,
        };
        using var policy = TrainableLlama.Load(backend, checkpoint, session.Policy.Config, common);
        using var reference = TrainableLlama.Load(backend, checkpoint, session.Policy.Config, common with { Frozen = true });
        EmbeddingJitter.Apply(policy, session.Resize.VocabularySize, options.Seed);
        EmbeddingJitter.Apply(reference, session.Resize.VocabularySize, options.Seed + 1);
        var (rewardModel, scorer) = session.LoadScorer(backend, new PpoOptions
        {
            OutputFolder = settings.Output,
            RolloutBatchSize = options.RolloutBatchSize,
            RolloutMicroBatch = options.RolloutMicroBatch,
            QueryLength = options.QueryLength + 1,
            ResponseLength = options.ResponseLength,
        });
        using var ownedModel = rewardModel;
        using var ownedScorer = scorer;
        session.Begin();
        string metrics = Path.Combine(settings.Output, "metrics.jsonl");
        using var lines = new JsonLinesSink(metrics);
        using var events = new TensorBoardSink(Path.Combine(settings.Output, "tensorboard"));
        using var console = new ConsoleSink();
        using var trainer = new QuarkTrainer(policy, reference, session.Tokenizer, new ScorerRewards(scorer, asText: false), train, options, new JsonObject
        {
            ["policy_model"] = session.Policy.Fingerprint()["sha256"]!.DeepClone(),
            ["reward_model"] = session.Reward.Fingerprint()["sha256"]!.DeepClone(),
            ["data"] = FeedbackSession.Digest(train),
        }, [lines, events, console]);
        PpoSummary summary;
        try
        {
            summary = trainer.Run(cancellation);
        }
        catch (OperationCanceledException)
        {
            throw new InterruptedRunException($"Interrupted; a checkpoint is in {settings.Output} if a step was done, and --resume goes on from it.");
        }

        session.Save(policy, checkpoint, settings.Output, options.Tokens);
        if (!quiet)
        {
            session.Report("quark", summary, metrics, plan);
        }

        return summary;
    }
}
