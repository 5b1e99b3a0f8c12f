using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Cli.Data;
using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Cli.Verbs;
using Farm.Core;
using Farm.Inference;
using Farm.Models.Checkpoints;
using Farm.Pocket;
using Farm.Pocket.Data;
using Farm.Pocket.Embedded;
using Farm.Pocket.Judging;
using Farm.Training;
using Farm.Training.Data;
using Farm.Training.Methods;
using Farm.Training.Metrics;
using Farm.Training.Model;
using Farm.Training.Optimisation;
using Farm.Training.Reinforcement;
using Farm.Training.Tasks;

namespace Farm.Cli.Simulation;

/// <summary>
/// AlpacaFarm's experiment in the pocket world, offline: a fine-tuned model, simulated preferences over its own samples, a reward model, every method of learning from feedback, and what simulated judges and the gold
/// judge say of them; and how proxy and gold part ways as the reward model is optimised harder. <see cref="Run"/> reads top to bottom.
/// </summary>
internal sealed class Simulation(string output, SimulationSettings settings, IReadOnlyList<string> methods, bool resume, CancellationToken cancellation)
{
    private const string Noisy = "noisy";
    private readonly SimulationStages _stages = new(output, settings.Stamp(), resume);
    private readonly PocketBench _bench = new(settings.Device ?? DeviceChoice.Cpu, settings.Threads, settings.ResponseLength);
    private readonly PocketRow[] _eval = [.. PocketWorld.Default.Split("eval").Take(settings.EvalRows)];
    private readonly PocketRow[] _val = [.. PocketWorld.Default.Split("val").Take(settings.ValRows)];

    /// <summary>Runs all stages that are not done, and writes the results.</summary>
    public SimulationResult Run()
    {
        _stages.Run("sft", Sft);
        _stages.Run("samples", SamplePreferences);
        string[] kinds = [.. settings.Kinds.Prepend(Noisy).Distinct()];
        foreach (string kind in kinds)
        {
            _stages.Run($"reward-{kind}", () => TrainReward(kind));
        }

        // The fine-tuned model's samples on eval instructions are best-of-n's, and what all others are compared with.
        _stages.Run("baseline", SampleBaseline);
        var table = new List<SimulatedMethod> { SimulatedMethod.FromJson(_stages.Run("sft-measured", () => Measure("sft", Baseline(settings.EvalSamples)))) };
        var curves = new Dictionary<string, IReadOnlyList<CurvePoint>>();
        foreach (string method in SimulationSettings.AllMethods.Where(methods.Contains))
        {
            if (method == "ppo")
            {
                foreach (string kind in kinds)
                {
                    var found = _stages.Run($"ppo-{kind}", () => TrainPpo(kind));
                    curves[$"ppo {kind}"] = [.. found["curve"]!.AsArray().Select(p => CurvePoint.FromJson(p!))];
                }
            }
            else if (method != "best-of-n")
            {
                _stages.Run(method, () => Train(method));
            }

            table.Add(SimulatedMethod.FromJson(_stages.Run($"{method}-measured", () => Measure(method, Samples(method)))));
        }

        foreach (string kind in kinds)
        {
            var found = _stages.Run($"curve-{kind}", () => BestOfNCurve(kind));
            curves[$"best-of-n {kind}"] = [.. found["curve"]!.AsArray().Select(p => CurvePoint.FromJson(p!))];
        }

        var result = new SimulationResult(settings, table, curves, _stages.Times);
        result.Write(output);
        return result;
    }

    private string In(string name) => Path.Combine(output, name);

    private string Policy => In("sft");

    private string Reward(string kind) => In($"reward-{kind}");

    private JsonObject Sft()
    {
        if (settings.EmbeddedPolicy && EmbeddedModels.Available)
        {
            string embedded = EmbeddedModels.Extract(Path.Combine(output, "embedded")).Policy;
            Directory.CreateDirectory(Policy);
            foreach (string file in Directory.EnumerateFiles(embedded))
            {
                File.Copy(file, Path.Combine(Policy, Path.GetFileName(file)), overwrite: true);
            }

            return new JsonObject { ["from"] = "embedded" };
        }

        string start = In("base");
        RandomCheckpoint.Write(start, PocketWorld.PolicyConfig, settings.Seed, DType.F32);
        PocketWorld.Default.WriteTokenizer(start);
        var tuning = Tuning(start, "pocket:sft", Policy, settings.SftLearningRate, settings.SftEpochs) with { Eval = "pocket:val" };
        var session = TrainingSession.Open(tuning, ModelHead.Language);
        var summary = session.Run(
            new SftTask(), session.Builder.Sft(TrainingData.Sft(tuning.Train, settings.SftRows)), session.Builder.Sft(TrainingData.Sft(tuning.Eval!, settings.ValRows)), cancellation, quiet: true);
        return new JsonObject { ["from"] = "base", ["loss"] = double.IsFinite(summary.LastLoss) ? summary.LastLoss : null };
    }

    private JsonObject SamplePreferences()
    {
        PocketRow[] rows = [.. PocketWorld.Default.Split("preference").Take(settings.PreferenceRows ?? int.MaxValue)];
        string[][] samples = _bench.Sample(Policy, rows, settings.PreferenceSamples, settings.Seed + 1, cancellation);
        foreach (string kind in settings.Kinds.Prepend(Noisy).Distinct())
        {
            IPairwiseJudge judge = kind switch
            {
                Noisy => new JudgePool(settings.Seed, settings.Flip),
                "noiseless" => new JudgePool(settings.Seed, 0),
                "single" => new SimulatedJudge("single", JudgeBias.None, 0, settings.Seed),
                _ => throw new ArgumentException($"no preferences of kind {kind}"),
            };
            AlpacaFiles.Write(In($"preferences-{kind}.json"), PocketPreferences.Create(rows, samples, judge, settings.PairsPerRow, settings.Seed, asSampled: true));
        }

        return new JsonObject { ["rows"] = rows.Length };
    }

    private JsonObject TrainReward(string kind)
    {
        var tuning = Tuning(Policy, In($"preferences-{kind}.json"), Reward(kind), settings.RewardLearningRate, settings.RewardEpochs, settings.RewardBatch);
        var session = TrainingSession.Open(tuning, ModelHead.Reward);
        var all = session.Builder.Pairs(TrainingData.Preferences(tuning.Train, null));
        var (train, held) = Permutations.Split(all.Examples.Count, all.Examples.Count / 10, settings.Seed);
        var summary = session.Run(
            new PairwiseTask(), all with { Examples = [.. train.Select(i => all.Examples[i])] }, new ExampleSet([.. held.Select(i => all.Examples[i])], 0, 0), cancellation, quiet: true);
        return new JsonObject { ["eval_accuracy"] = summary.Evaluation.FirstOrDefault(e => e.Name == "eval_accuracy").Value };
    }

    private JsonObject Train(string method)
    {
        switch (method)
        {
            case "dpo":
                {
                    var tuning = Tuning(Policy, In("preferences-noisy.json"), In(method), settings.DpoLearningRate, 1);
                    var session = TrainingSession.Open(tuning, ModelHead.Language);
                    session.Run(
                        new DpoTask(settings.DpoBeta), session.Builder.PreferencePairs(TrainingData.Preferences(tuning.Train, null)), null, cancellation, DpoVerb.Prepare(tuning, cancellation), quiet: true);
                    break;
                }

            case "feedme":
                {
                    var tuning = Tuning(Policy, In("preferences-noisy.json"), In(method), settings.TuneLearningRate, settings.FeedbackEpochs);
                    var session = TrainingSession.Open(tuning, ModelHead.Language);
                    session.Run(new SftTask(), session.Builder.Sft(FeedMe.Rows(TrainingData.Preferences(tuning.Train, null))), null, cancellation, quiet: true);
                    break;
                }

            case "reward-condition":
                {
                    var tuning = Tuning(Policy, In("preferences-noisy.json"), In(method), settings.TuneLearningRate, settings.FeedbackEpochs);
                    var session = TrainingSession.Open(tuning, ModelHead.Language, RewardConditioning.Tokens);
                    session.Run(new SftTask(), session.Builder.Sft(RewardConditioning.Rows(TrainingData.Preferences(tuning.Train, null))), null, cancellation, quiet: true);
                    break;
                }

            case "expert-iteration":
                ExpertIterationVerb.Run(
                    Tuning(Policy, string.Empty, In(method), settings.TuneLearningRate, settings.TuneEpochs) with { MaxInstances = settings.ExpertRows }, Reward(Noisy), "pocket:unlabeled",
                    new GenerationOptions { NumReturnSequences = settings.ExpertSamples, MaxNewTokens = settings.ResponseLength, Seed = settings.Seed + 2 }, quiet: true, cancellation);
                break;

            case "quark":
                QuarkVerb.Run(
                    new FeedbackSession(Feedback(method, Noisy), resume),
                    new QuarkOptions
                    {
                        OutputFolder = In(method),
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
                break;

            default:
                throw new ArgumentException($"no method {method}", nameof(method));
        }

        return [];
    }

    // The policy is chosen by simulated judges on val instructions, as AlpacaFarm's checkpoints were by simulated win rate; gold is only written down.
    private JsonObject TrainPpo(string kind)
    {
        string folder = In($"ppo-{kind}");
        string[][] sft = _bench.Sample(Policy, _val, 1, settings.Seed + 3, cancellation);
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
                double[] gold = [.. _bench.Gold(_val, texts).Select(g => g[0])];
                var (mean, error) = SimulatedMethod.Mean(gold);
                double win = _bench.Wins(_val, texts, sft).Average();
                File.AppendAllText(notes, JsonSerializer.Serialize(new { step, win, gold = mean, error, proxy = rollouts.Average(r => (double)r.Reward) }) + "\n");
                return win;
            },
        }.Run(cancellation);
        var kl = JsonLinesSink.Read(Path.Combine(folder, "metrics.jsonl")).Where(l => l.Values.Any(v => v.Name == "objective/kl_k1"))
            .ToDictionary(l => l.Step, l => l.Values.First(v => v.Name == "objective/kl_k1").Value);
        // A step that was done again after an interruption has two notes; the last one counts.
        var seen = File.ReadLines(notes).Select(l => JsonNode.Parse(l)!).GroupBy(n => (int)n["step"]!).OrderBy(g => g.Key).Select(g => g.Last());
        return new JsonObject
        {
            ["curve"] = new JsonArray([.. seen.Select(n => new CurvePoint((int)n["step"]!, kl.GetValueOrDefault((int)n["step"]!), (double)n["proxy"]!, (double)n["gold"]!, (double)n["error"]!).ToJson())]),
        };
    }

    private JsonObject SampleBaseline()
    {
        WriteSamples("sft", _bench.Sample(Policy, _eval, settings.MostSamples, settings.Seed + 4, cancellation));
        return [];
    }

    private JsonObject BestOfNCurve(string kind)
    {
        string[][] samples = ReadSamples("sft");
        var points = BestOfNEstimate.Curve(_bench.Reward(Reward(kind), _eval, samples, cancellation), _bench.Gold(_eval, samples));
        return new JsonObject { ["curve"] = new JsonArray([.. points.Select(p => p.ToJson())]) };
    }

    private string[][] Baseline(int count) => [.. ReadSamples("sft").Select(s => s[..Math.Min(count, s.Length)])];

    private string[][] Samples(string method)
    {
        if (method == "best-of-n")
        {
            string[][] all = ReadSamples("sft");
            float[][] rewards = _bench.Reward(Reward(Noisy), _eval, all, cancellation);
            return [.. all.Select((s, i) => CurvePoint.Winners(rewards[i], settings.BestOf).Take(settings.EvalSamples).Select(w => s[w]).ToArray())];
        }

        string folder = method == "ppo" ? In("ppo-noisy") : In(method), best = Path.Combine(folder, "best");
        return _bench.Sample(
            method == "ppo" && Directory.Exists(best) ? best : folder, _eval, settings.EvalSamples, settings.Seed + 5, cancellation, method == "reward-condition" ? RewardConditioning.Positive : string.Empty);
    }

    // Against the last samples of the baseline: its own line has the first, and best-of-n's winners at full settings come from the first half.
    private JsonObject Measure(string method, string[][] samples)
    {
        string[][] others = [.. ReadSamples("sft").Select(s => s[^Math.Min(settings.EvalSamples, s.Length)..])];
        double[][] gold = _bench.Gold(_eval, samples), otherGold = _bench.Gold(_eval, others), all = _bench.Gold(_eval, ReadSamples("sft"));
        WriteSamples(method == "sft" ? "sft-first" : method, samples);
        return SimulatedMethod.Measure(
            method == "best-of-n" ? $"best-of-{settings.BestOf}" : method, _bench.Wins(_eval, samples, others), PocketBench.Wins(gold, otherGold), gold, all,
            _bench.Reward(Reward(Noisy), _eval, samples, cancellation), samples).ToJson();
    }

    private void WriteSamples(string name, string[][] samples)
    {
        byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(samples);
        WholeFile.Write(In($"samples/{name}.json"), bytes);
    }

    private string[][] ReadSamples(string name) => JsonSerializer.Deserialize<string[][]>(File.ReadAllBytes(In($"samples/{name}.json")))!;

    private string ValFile()
    {
        string path = In("val.json");
        AlpacaFiles.Write(path, _val);
        return path;
    }

    private int QueryLength => PocketWorld.Context - settings.ResponseLength;

    private FeedbackSettings Feedback(string name, string kind) => new(
        Policy, Reward(kind), "pocket:unlabeled", null, In(name), false, PpoLayout.Full, null, DType.F32, DType.F32, settings.Threads, false, null, null, true, false)
    { Device = settings.Device ?? DeviceChoice.Cpu };

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
