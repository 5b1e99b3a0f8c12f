using System.Text.Json.Nodes;
using Farm.Cli.Options;
using Farm.Pocket;
using Farm.Pocket.Data;
using Farm.Pocket.Judging;
using Farm.Training.Methods;

namespace Farm.Cli.Simulation;

/// <summary>
/// AlpacaFarm's experiment in the pocket world, offline: a fine-tuned model, simulated preferences over its own samples, a reward model, every method of learning from feedback, and what simulated judges and the gold
/// judge say of them; and how proxy and gold part ways as the reward model is optimised harder. <see cref="Run"/> reads top to bottom.
/// </summary>
internal sealed class Simulation(string output, SimulationSettings settings, IReadOnlyList<string> methods, bool resume, CancellationToken cancellation)
{
    /// <summary>The kind of preferences that the methods learn from.</summary>
    public const string Noisy = "noisy";

    private readonly SimulationFiles _files = new(output);
    private readonly SimulationStages _stages = new(output, settings.Stamp(), resume);
    private readonly PocketBench _bench = new(settings.Device ?? DeviceChoice.Cpu, settings.Threads, settings.ResponseLength);
    private readonly PocketRow[] _eval = [.. PocketWorld.Default.Split("eval").Take(settings.EvalRows)];

    /// <summary>Runs all stages that are not done, and writes the results.</summary>
    public SimulationResult Run()
    {
        var training = new SimulationTraining(_files, settings, resume, cancellation);
        var feedback = new SimulationFeedback(_files, settings, _bench, resume, cancellation);
        _stages.Run("sft", training.Sft);
        _stages.Run("samples", SamplePreferences);
        string[] kinds = [.. settings.Kinds.Prepend(Noisy).Distinct()];
        foreach (string kind in kinds)
        {
            _stages.Run($"reward-{kind}", () => training.Reward(kind));
        }

        // The fine-tuned model's samples on eval instructions are best-of-n's, and what all others are compared with.
        _stages.Run("baseline", SampleBaseline);
        var table = new List<SimulatedMethod> { SimulatedMethod.FromJson(_stages.Run("sft-measured", () => Measure("sft", Baseline(settings.EvalSamples)))) };
        var curves = new Dictionary<string, IReadOnlyList<CurvePoint>>();
        foreach (string method in SimulationSettings.AllMethods.Where(methods.Contains))
        {
            switch (method)
            {
                case "ppo":
                    foreach (string kind in kinds)
                    {
                        curves[$"ppo {kind}"] = Curve(_stages.Run($"ppo-{kind}", () => feedback.Ppo(kind)));
                    }

                    break;
                case "quark":
                    _stages.Run(method, feedback.Quark);
                    break;
                case "best-of-n":
                    break;
                default:
                    _stages.Run(method, () => training.Method(method));
                    break;
            }

            table.Add(SimulatedMethod.FromJson(_stages.Run($"{method}-measured", () => Measure(method, Samples(method)))));
        }

        foreach (string kind in kinds)
        {
            curves[$"best-of-n {kind}"] = Curve(_stages.Run($"curve-{kind}", () => BestOfNCurve(kind)));
        }

        var result = new SimulationResult(settings, table, curves, _stages.Times);
        result.Write(output);
        return result;
    }

    private static CurvePoint[] Curve(JsonObject found) => [.. found["curve"]!.AsArray().Select(p => CurvePoint.FromJson(p!))];

    private JsonObject SamplePreferences()
    {
        PocketRow[] rows = [.. PocketWorld.Default.Split("preference").Take(settings.PreferenceRows ?? int.MaxValue)];
        string[][] samples = _bench.Sample(_files.Policy, rows, settings.PreferenceSamples, settings.Seed + 1, cancellation);
        foreach (string kind in settings.Kinds.Prepend(Noisy).Distinct())
        {
            IPairwiseJudge judge = kind switch
            {
                Noisy => new JudgePool(settings.Seed, settings.Flip),
                "noiseless" => new JudgePool(settings.Seed, 0),
                "single" => new SimulatedJudge("single", JudgeBias.None, 0, settings.Seed),
                _ => throw new ArgumentException($"no preferences of kind {kind}"),
            };
            AlpacaFiles.Write(_files.Preferences(kind), PocketPreferences.Create(rows, samples, judge, settings.PairsPerRow, settings.Seed, asSampled: true));
        }

        return new JsonObject { ["rows"] = rows.Length };
    }

    private JsonObject SampleBaseline()
    {
        _files.WriteSamples("sft", _bench.Sample(_files.Policy, _eval, settings.MostSamples, settings.Seed + 4, cancellation));
        return [];
    }

    private JsonObject BestOfNCurve(string kind)
    {
        string[][] samples = _files.ReadSamples("sft");
        var points = BestOfNEstimate.Curve(_bench.Reward(_files.Reward(kind), _eval, samples, cancellation), _bench.Gold(_eval, samples));
        return new JsonObject { ["curve"] = new JsonArray([.. points.Select(p => p.ToJson())]) };
    }

    private string[][] Baseline(int count) => [.. _files.ReadSamples("sft").Select(s => s[..Math.Min(count, s.Length)])];

    private string[][] Samples(string method)
    {
        if (method == "best-of-n")
        {
            string[][] all = _files.ReadSamples("sft");
            float[][] rewards = _bench.Reward(_files.Reward(Noisy), _eval, all, cancellation);
            return [.. all.Select((s, i) => CurvePoint.Winners(rewards[i], settings.BestOf).Take(settings.EvalSamples).Select(w => s[w]).ToArray())];
        }

        string folder = method == "ppo" ? _files.In("ppo-noisy") : _files.In(method), best = Path.Combine(folder, "best");
        return _bench.Sample(
            method == "ppo" && Directory.Exists(best) ? best : folder, _eval, settings.EvalSamples, settings.Seed + 5, cancellation, method == "reward-condition" ? RewardConditioning.Positive : string.Empty);
    }

    // Against the last samples of the baseline: its own line has the first, and best-of-n's winners at full settings come from the first half.
    private JsonObject Measure(string method, string[][] samples)
    {
        string[][] others = [.. _files.ReadSamples("sft").Select(s => s[^Math.Min(settings.EvalSamples, s.Length)..])];
        double[][] gold = _bench.Gold(_eval, samples), otherGold = _bench.Gold(_eval, others), all = _bench.Gold(_eval, _files.ReadSamples("sft"));
        _files.WriteSamples(method == "sft" ? "sft-first" : method, samples);
        return SimulatedMethod.Measure(
            method == "best-of-n" ? $"best-of-{settings.BestOf}" : method, _bench.Wins(_eval, samples, others), PocketBench.Wins(gold, otherGold), gold, all,
            _bench.Reward(_files.Reward(Noisy), _eval, samples, cancellation), samples).ToJson();
    }
}
