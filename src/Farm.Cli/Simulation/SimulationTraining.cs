using System.Text.Json.Nodes;
using Farm.Cli.Data;
using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Cli.Verbs;
using Farm.Core;
using Farm.Inference;
using Farm.Models.Checkpoints;
using Farm.Pocket;
using Farm.Pocket.Embedded;
using Farm.Training;
using Farm.Training.Data;
using Farm.Training.Methods;
using Farm.Training.Model;
using Farm.Training.Optimisation;
using Farm.Training.Tasks;

namespace Farm.Cli.Simulation;

/// <summary>The training stages of a simulation: the fine-tuned model, reward models, and the methods that learn from a set of examples. Each gives what its stage found.</summary>
internal sealed class SimulationTraining(SimulationFiles files, SimulationSettings settings, bool resume, CancellationToken cancellation)
{
    /// <summary>The fine-tuned model: the embedded one, or trained from random weights.</summary>
    public JsonObject Sft()
    {
        if (settings.EmbeddedPolicy && EmbeddedModels.Available)
        {
            string embedded = EmbeddedModels.Extract(files.In("embedded")).Policy;
            Directory.CreateDirectory(files.Policy);
            foreach (string file in Directory.EnumerateFiles(embedded))
            {
                File.Copy(file, Path.Combine(files.Policy, Path.GetFileName(file)), overwrite: true);
            }

            return new JsonObject { ["from"] = "embedded" };
        }

        string start = files.In("base");
        RandomCheckpoint.Write(start, PocketWorld.PolicyConfig, settings.Seed, DType.F32);
        PocketWorld.Default.WriteTokenizer(start);
        var tuning = Tuning(start, "pocket:sft", files.Policy, settings.SftLearningRate, settings.SftEpochs) with { Eval = "pocket:val" };
        var session = TrainingSession.Open(tuning, ModelHead.Language);
        var summary = session.Run(
            new SftTask(), session.Builder.Sft(TrainingData.Sft(tuning.Train, settings.SftRows)), session.Builder.Sft(TrainingData.Sft(tuning.Eval!, settings.ValRows)), cancellation, quiet: true);
        return new JsonObject { ["from"] = "base", ["loss"] = double.IsFinite(summary.LastLoss) ? summary.LastLoss : null };
    }

    /// <summary>A reward model of a kind of preferences, on the fine-tuned model.</summary>
    public JsonObject Reward(string kind)
    {
        var tuning = Tuning(files.Policy, files.Preferences(kind), files.Reward(kind), settings.RewardLearningRate, settings.RewardEpochs, settings.RewardBatch);
        var session = TrainingSession.Open(tuning, ModelHead.Reward);
        var all = session.Builder.Pairs(TrainingData.Preferences(tuning.Train, null));
        var (train, held) = all.HoldOut(all.Examples.Count / 10, settings.Seed);
        var summary = session.Run(new PairwiseTask(), train, held, cancellation, quiet: true);
        return new JsonObject { ["eval_accuracy"] = summary.Evaluation.FirstOrDefault(e => e.Name == "eval_accuracy").Value };
    }

    /// <summary>Trains by a method into its folder.</summary>
    public JsonObject Method(string method)
    {
        Action<string> train = method switch
        {
            "dpo" => Dpo,
            "feedme" => name => Tune(name, null, FeedMe.Rows),
            "reward-condition" => name => Tune(name, RewardConditioning.Tokens, RewardConditioning.Rows),
            "expert-iteration" => ExpertIteration,
            _ => throw new ArgumentException($"no method {method}", nameof(method)),
        };
        train(method);
        return [];
    }

    private void Dpo(string method)
    {
        var tuning = Tuning(files.Policy, files.Preferences(Simulation.Noisy), files.In(method), settings.DpoLearningRate, 1);
        var session = TrainingSession.Open(tuning, ModelHead.Language);
        var pairs = session.Builder.PreferencePairs(TrainingData.Preferences(tuning.Train, null));
        session.Run(new DpoTask(settings.DpoBeta), pairs, null, cancellation, DpoVerb.Prepare(tuning, cancellation), quiet: true);
    }

    // Fine-tuning on rows that are made of preferences.
    private void Tune(string method, IReadOnlyList<string>? controlTokens, Func<IEnumerable<PreferenceRow>, IReadOnlyList<SftRow>> rows)
    {
        var tuning = Tuning(files.Policy, files.Preferences(Simulation.Noisy), files.In(method), settings.TuneLearningRate, settings.FeedbackEpochs);
        var session = TrainingSession.Open(tuning, ModelHead.Language, controlTokens);
        session.Run(new SftTask(), session.Builder.Sft(rows(TrainingData.Preferences(tuning.Train, null))), null, cancellation, quiet: true);
    }

    private void ExpertIteration(string method) => ExpertIterationVerb.Run(
        Tuning(files.Policy, string.Empty, files.In(method), settings.TuneLearningRate, settings.TuneEpochs) with { MaxInstances = settings.ExpertRows }, files.Reward(Simulation.Noisy), "pocket:unlabeled",
        new GenerationOptions { NumReturnSequences = settings.ExpertSamples, MaxNewTokens = settings.ResponseLength, Seed = settings.Seed + 2 }, quiet: true, cancellation);

    private TrainingSettings Tuning(string model, string train, string folder, double learningRate, int epochs, int batch = 32)
    {
        var trainer = new TrainerOptions
        {
            OutputFolder = folder,
            Epochs = epochs,
            MicroBatch = batch,
            Accumulation = 1,
            LearningRate = learningRate,
            AdamW = new AdamWOptions { WeightDecay = 0.1 },
            Seed = settings.Seed,
            LoggingSteps = 50,
            SaveSteps = 200,
            SaveTotalLimit = 1,
            Resume = resume,
        };
        return new TrainingSettings(model, train, null, trainer, PocketWorld.Context, false, false, null, DType.F32, DType.F32, settings.Threads, settings.Device ?? DeviceChoice.Cpu, false, null, null, false);
    }
}
