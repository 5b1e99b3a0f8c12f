using System.CommandLine;
using Farm.Cli.Data;
using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Core;
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
    internal static PrepareExamples Prepare(TrainingSettings settings, CancellationToken cancellation) => (model, digest, set, rows) =>
    {
        if (set.Examples.Count == 0)
        {
            return set;
        }

        // More rows at a time than the run's own are quicker on the host, and give the same numbers. They may take what is planned for the optimiser's moments, which come later; on a device the operations' memory is planned for the run's rows.
        int wide = (int)Math.Min(int.MaxValue, Math.Max(rows, 8L * set.Examples.Max(e => e.Rows)));
        bool fits = model.Backend is not IMemoryLimits
            && TrainingWorkspace.BytesFor(model.Config, wide, recompute: true, model.Options.Lora) <= TrainingWorkspace.BytesFor(model.Config, rows, model.Options.Recompute, model.Options.Lora) + (2L * sizeof(float) * model.Trained.Count);
        using var workspace = model.CreateWorkspace(fits ? wide : rows, backward: false);
        var (examples, cached) = SequenceLogProbs.WithReference(model, workspace, set.Examples, digest, Path.Combine(settings.Trainer.OutputFolder, "cache"), cancellation);
        Console.Error.WriteLine($"Reference log-probabilities of {examples.Count} pairs {(cached ? "are in the cache" : "computed")}.");
        return set with { Examples = examples };
    };
}
