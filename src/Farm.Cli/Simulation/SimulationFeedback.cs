using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Cli.Verbs;
using Farm.Core;
using Farm.Pocket;
using Farm.Pocket.Data;
using Farm.Training.Methods;
using Farm.Training.Metrics;
using Farm.Training.Reinforcement;

namespace Farm.Cli.Simulation;

/// <summary>The stages of a simulation that learn from rewards of the policy's own samples: PPO and Quark. Each gives what its stage found.</summary>
internal sealed class SimulationFeedback(SimulationFiles files, SimulationSettings settings, PocketBench bench, bool resume, CancellationToken cancellation)
{
    private readonly PocketRow[] _val = [.. PocketWorld.Default.Split("val").Take(settings.ValRows)];

    private int QueryLength => PocketWorld.Context - settings.ResponseLength;

    /// <summary>
    /// PPO from the reward model of a kind of preferences; finds the curve of its evaluations. The policy is chosen by simulated judges on val instructions, as AlpacaFarm's checkpoints were by simulated win rate; gold is only
    /// written down.
    /// </summary>
    public JsonObject Ppo(string kind)
    {
        string folder = files.In($"ppo-{kind}");
        string[][] sft = bench.Sample(files.Policy, _val, 1, settings.Seed + 3, cancellation);
        var options = new PpoOptions
        {
            OutputFolder = folder,
            RolloutBatchSize = settings.PpoRollouts,
            StepBatchSize = settings.PpoRollouts / 2,
            StepMicroBatch = 4,
            MaxSteps = settings.PpoSteps,
            LearningRate = settings.PpoLearningRate,
            KlCoefficient = settings.PpoKl,
            QueryLength = QueryLength,
            ResponseLength = settings.ResponseLength,
            Seed = settings.Seed,
            EvalSteps = settings.PpoEvalSteps,
            EvalTemperature = 1,
            EvalTopP = 1,
            SaveSteps = settings.PpoEvalSteps,
            Resume = resume,
        };
        string notes = Path.Combine(folder, "simulation.jsonl");
        new PpoRun(new FeedbackSession(Feedback($"ppo-{kind}", kind) with { Eval = ValFile() }, resume), options)
        {
            Quiet = true,
            KeepsRollouts = false,
            Ranks = (step, rollouts) =>
            {
                string[][] texts = [.. rollouts.Select(r => new[] { r.Text })];
                double[] gold = [.. bench.Gold(_val, texts).Select(g => g[0])];
                var (mean, error) = SimulatedMethod.Mean(gold);
                double win = bench.Wins(_val, texts, sft).Average();
                File.AppendAllText(notes, JsonSerializer.Serialize(new { step, win, gold = mean, error, proxy = rollouts.Average(r => (double)r.Reward) }) + "\n");
                return win;
            },
        }.Run(cancellation);
        return Curve(folder, notes);
    }

    /// <summary>Quark from the reward model of noisy preferences.</summary>
    public JsonObject Quark()
    {
        string folder = files.In("quark");
        QuarkVerb.Run(
            new FeedbackSession(Feedback("quark", Simulation.Noisy), resume),
            new QuarkOptions
            {
                OutputFolder = folder,
                RolloutBatchSize = settings.PpoRollouts,
                StepBatchSize = settings.PpoRollouts / 2,
                StepMicroBatch = 4,
                MaxSteps = settings.QuarkSteps,
                LearningRate = settings.QuarkLearningRate,
                QueryLength = QueryLength - 1,
                ResponseLength = settings.ResponseLength,
                Seed = settings.Seed,
                SaveSteps = 10,
                Resume = resume,
            },
            quiet: true, cancellation);
        return [];
    }

    // The evaluations of a run, each with the KL of its step.
    private static JsonObject Curve(string folder, string notes)
    {
        var kl = JsonLinesSink.Read(Path.Combine(folder, "metrics.jsonl")).Where(l => l.Values.Any(v => v.Name == "objective/kl_k1"))
            .ToDictionary(l => l.Step, l => l.Values.First(v => v.Name == "objective/kl_k1").Value);
        // A step that was done again after an interruption has two notes; the last one counts.
        var seen = File.ReadLines(notes).Select(l => JsonNode.Parse(l)!).GroupBy(n => (int)n["step"]!).OrderBy(g => g.Key).Select(g => g.Last());
        return new JsonObject
        {
            ["curve"] = new JsonArray([.. seen.Select(n => new CurvePoint((int)n["step"]!, kl.GetValueOrDefault((int)n["step"]!), (double)n["proxy"]!, (double)n["gold"]!, (double)n["error"]!).ToJson())]),
        };
    }

    private string ValFile()
    {
        string path = files.In("val.json");
        AlpacaFiles.Write(path, _val);
        return path;
    }

    private FeedbackSettings Feedback(string name, string kind) => new(
        files.Policy, files.Reward(kind), "pocket:unlabeled", null, files.In(name), false, PpoLayout.Full, null, DType.F32, DType.F32, settings.Threads, false, null, null, true, false)
    { Device = settings.Device ?? DeviceChoice.Cpu };
}
