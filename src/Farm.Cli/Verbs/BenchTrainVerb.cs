using System.CommandLine;
using System.Diagnostics;
using Farm.Cli.Engine;
using Farm.Cli.Machine;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;
using Farm.Training;
using Farm.Training.Data;
using Farm.Training.Model;
using Farm.Training.Optimisation;
using Farm.Training.Tasks;

namespace Farm.Cli.Verbs;

/// <summary><c>farm bench train</c>: whole SFT steps on random tokens.</summary>
internal static class BenchTrainVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var model = new Option<string>("--model") { Description = "Model folder; no tokenizer is needed.", HelpName = "DIR", Required = true };
        var batch = new Option<int>("--batch") { Description = "Sequences of a step, all in one pass.", HelpName = "B", DefaultValueFactory = _ => 8 };
        var sequence = new Option<int>("--sequence") { Description = "Tokens of a sequence; all but the first are targets.", HelpName = "T", DefaultValueFactory = _ => 256 };
        var threads = new Option<int>("--threads") { Description = "Threads of the kernels.", HelpName = "T", DefaultValueFactory = _ => Environment.ProcessorCount };
        var dtype = new Option<string>("--dtype") { Description = "As in farm sft.", HelpName = "f32|bf16", DefaultValueFactory = _ => "f32" };
        var recompute = new Option<bool>("--recompute") { Description = "As in farm sft." };
        var repeat = new Option<int>("--repeat") { Description = "Timed steps after one that warms up; the median is reported.", HelpName = "R", DefaultValueFactory = _ => 3 };
        var json = new Option<bool>("--json") { Description = "Prints JSON." };
        var device = new DeviceOption();
        var command = new Command(
            "train",
            "Times training steps: forward, backward, clipping and AdamW on random tokens. Operations count as 6 for each weight of a product and token, and attention's "
            + "products over the keys in view, forward once and backward twice and a half; recomputation is not counted. The peak is measured in the same run.");
        foreach (Option option in new Option[] { model, batch, sequence, threads, dtype, recompute, repeat, json })
        {
            command.Options.Add(option);
        }

        device.AddTo(command);
        command.SetAction(result =>
        {
            var type = result.GetRequiredValue(dtype) switch
            {
                "f32" => DType.F32,
                "bf16" => DType.BF16,
                var other => throw new BadInputException($"--dtype must be f32 or bf16 for training, not '{other}'."),
            };
            int sequences = Positive("--batch", result.GetValue(batch)), tokens = Positive("--sequence", result.GetValue(sequence)), runs = Positive("--repeat", result.GetValue(repeat));
            var chosen = device.Read(result);
            if (chosen.IsSimulator)
            {
                throw new BadInputException("farm bench train measures time, which the driver simulator has none of; farm bench kernels --device cuda-sim counts instead.");
            }

            int cpuThreads = EngineOptions.CheckThreads(result.GetValue(threads));
            string folder = result.GetRequiredValue(model);
            var config = ModelFolder.OpenShape(folder).Config;
            if (tokens < 2 || tokens > config.MaxPositionEmbeddings)
            {
                throw new BadInputException($"--sequence must be from 2 to the model's context of {config.MaxPositionEmbeddings}, not {tokens}.");
            }

            using var backend = Backends.Create(chosen, cpuThreads);
            using var loaded = Load(backend, folder, config, new TrainableLlamaOptions { DType = type, Recompute = result.GetValue(recompute), MaxPositions = tokens });
            var random = new Random(1);
            TrainingExample[] examples = [.. Enumerable.Range(0, sequences)
                .Select(_ => new TrainingExample([[.. Enumerable.Range(0, tokens).Select(_ => random.Next(config.VocabularySize))]], 1))];
            using var trainer = new Trainer(
                loaded, new SftTask(), examples, [], new TrainerOptions
                {
                    OutputFolder = Path.GetTempPath(),
                    MicroBatch = sequences,
                    Accumulation = 1,
                    Epochs = runs + 1,
                    LearningRate = 1e-5,
                    Schedule = ScheduleKind.Constant,
                    WarmupRatio = 0,
                },
                [], []);
            trainer.Update(0);
            double[] seconds = [.. Enumerable.Range(1, runs).Select(i =>
            {
                cancellation.ThrowIfCancellationRequested();
                var clock = Stopwatch.StartNew();
                trainer.Update(i);
                return clock.Elapsed.TotalSeconds;
            }).Order()];
            double median = (seconds[runs / 2] + seconds[(runs - 1) / 2]) / 2;
            // Measuring the machine takes memory of its own, so the peak is read before.
            long peak = PeakMemory.Bytes();
            double rate = sequences * tokens / median, flops = Operations(config, sequences, tokens) / median;
            double? limit = Backends.Measure(backend)?.FloatOperations;
            if (result.GetValue(json))
            {
                StandardOutput.WriteLine(w =>
                {
                    w.WriteStartObject();
                    w.WriteString("dtype", type.Name());
                    w.WriteString("device", backend.Name);
                    w.WriteNumber("threads", cpuThreads);
                    w.WriteNumber("batch", sequences);
                    w.WriteNumber("sequence", tokens);
                    w.WriteNumber("seconds_per_step", Math.Round(median, 5));
                    w.WriteNumber("tokens_per_second", Math.Round(rate, 2));
                    w.WriteNumber("flops_per_second", Math.Round(flops));
                    if (limit is { } peakFlops)
                    {
                        w.WriteNumber("flops_fraction_of_peak", Math.Round(flops / peakFlops, 4));
                    }

                    w.WriteNumber("peak_rss_bytes", peak);
                    w.WriteEndObject();
                });
            }
            else
            {
                Console.Out.WriteLine(FormattableString.Invariant($"train    {rate,9:F1} tokens/s{Share(flops, limit)}"));
                Console.Out.WriteLine(FormattableString.Invariant($"memory   {peak / 1048576.0,9:F0} MiB at most"));
            }

            return ExitCodes.Done;
        });
        return command;
    }

    private static TrainableLlama Load(ITrainingBackend backend, string folder, ModelConfig config, TrainableLlamaOptions options)
    {
        using var checkpoint = Checkpoint.Open(folder);
        return TrainableLlama.Load(backend, checkpoint, config, options);
    }

    /// <summary>Floating-point operations of a step. The output layer works on the rows that have a target.</summary>
    private static double Operations(ModelConfig config, double sequences, double tokens)
    {
        double hidden = config.HiddenSize, query = config.QueryWidth, keys = config.KeyValueWidth;
        double layer = (hidden * (query + (2 * keys))) + (query * hidden) + (3 * hidden * config.IntermediateSize);
        double products = 6 * sequences * ((tokens * layer * config.Layers) + ((tokens - 1) * hidden * config.VocabularySize));
        // Scores and weighted values forward (2 products), and 5 backward, each over half of the square and 2 operations an element.
        double attention = sequences * config.Layers * query * (2 + 5) * 2 * tokens * (tokens + 1) / 2;
        return products + attention;
    }

    private static string Share(double flops, double? limit) => limit is { } peak
        ? FormattableString.Invariant($"  {flops / peak,5:P0} of the float32 peak ({peak / 1e9:F1} GFLOP/s)")
        : string.Empty;

    private static int Positive(string name, int value) => value >= 1 ? value : throw new BadInputException($"{name} must be at least 1, not {value}.");
}
