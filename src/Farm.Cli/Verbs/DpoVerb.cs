using System.CommandLine;
using Farm.Cli.Data;
using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Core;
using Farm.Training.Data;
using Farm.Training.Methods;
using Farm.Training.Model;

namespace Farm.Cli.Verbs;

/// <summary><c>farm dpo</c>: direct preference optimisation.</summary>
internal static class DpoVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var options = new TrainingOptions(learningRate: 1e-6, epochs: 2, accumulation: 8);
        var beta = new Option<double>("--beta") { Description = "Strength of the tie to the model before training.", HelpName = "B", DefaultValueFactory = _ => 0.1 };
        var loss = new Option<string>("--loss") { Description = "sigmoid: DPO; ipo: IPO's square.", HelpName = "sigmoid|ipo", DefaultValueFactory = _ => "sigmoid" };
        var smoothing = new Option<double>("--label-smoothing") { Description = "Share of labels taken to be wrong (sigmoid).", HelpName = "E" };
        var holdOut = new HoldOutOption("Pairs");
        var command = new Command("dpo", "Trains a fine-tuned model on preferences directly: its own log-probabilities against those it had before, without a reward model.");
        options.AddTo(command);
        foreach (var option in new Option[] { beta, loss, smoothing })
        {
            command.Options.Add(option);
        }

        holdOut.AddTo(command);
        command.SetAction(result =>
        {
            var settings = options.Read(result);
            var kind = result.GetRequiredValue(loss) switch
            {
                "sigmoid" => DpoKind.Sigmoid,
                "ipo" => DpoKind.Ipo,
                var other => throw new BadInputException($"--loss must be sigmoid or ipo, not '{other}'."),
            };
            var task = new DpoTask(result.GetValue(beta), kind, result.GetValue(smoothing));
            holdOut.Check(result, settings);
            var session = TrainingSession.Open(settings, ModelHead.Language);
            var (train, eval) = holdOut.Read(result, settings, file => session.Builder.PreferencePairs(TrainingData.Preferences(file, settings.MaxInstances)));
            session.Run(task, train, eval, cancellation, Prepare(settings, cancellation));
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>Fills in the reference's log-probabilities, from the cache where they are known.</summary>
    internal static Func<TrainableLlama, string, ExampleSet, ExampleSet> Prepare(TrainingSettings settings, CancellationToken cancellation) => (model, digest, set) =>
    {
        if (set.Examples.Count == 0)
        {
            return set;
        }

        int longest = set.Examples.Max(e => e.Rows), pairs = Math.Max(settings.Trainer.MicroBatch, 8);
        if (model.Backend is IMemoryLimits device)
        {
            // Fewer at a time give the same numbers.
            long free = device.FreeBytes / 2;
            while (pairs > 1 && TrainingWorkspace.BytesFor(model.Config, pairs * longest, model.Options.Recompute, model.Options.Lora) > free)
            {
                pairs /= 2;
            }
        }

        using var workspace = model.CreateWorkspace(pairs * longest);
        var (examples, cached) = SequenceLogProbs.WithReference(model, workspace, set.Examples, digest, Path.Combine(settings.Trainer.OutputFolder, "cache"), cancellation);
        Console.Error.WriteLine($"Reference log-probabilities of {examples.Count} pairs {(cached ? "are in the cache" : "computed")}.");
        return set with { Examples = examples };
    };
}
