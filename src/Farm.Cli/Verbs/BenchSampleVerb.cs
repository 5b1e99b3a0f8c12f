using System.CommandLine;
using System.Globalization;
using Farm.Cli.Engine;
using Farm.Cli.Machine;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Core;
using Farm.Inference;

namespace Farm.Cli.Verbs;

/// <summary><c>farm bench sample</c>: tokens per second of prefill and decode, beside this machine's roofline.</summary>
internal static class BenchSampleVerb
{
    private sealed record Run(double PrefillRate, double DecodeRate);

    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var model = new Option<string>("--model") { Description = "Model folder; no tokenizer is needed.", HelpName = "DIR", Required = true };
        var samples = new Option<int>("-n") { Description = "Samples of the one prompt, all decoded at once.", HelpName = "N", DefaultValueFactory = _ => 16 };
        var promptTokens = new Option<int>("--prompt-tokens") { Description = "Length of the prompt, random tokens.", HelpName = "T", DefaultValueFactory = _ => 128 };
        var newTokens = new Option<int>("--new-tokens") { Description = "Tokens of each sample; nothing ends one early.", HelpName = "T", DefaultValueFactory = _ => 128 };
        var repeat = new Option<int>("--repeat") { Description = "Timed runs after one that warms up; medians are reported.", HelpName = "R", DefaultValueFactory = _ => 3 };
        var seed = new Option<ulong>("--seed") { Description = "Seed of the prompt and the draws.", HelpName = "S" };
        var json = new Option<bool>("--json") { Description = "Prints JSON." };
        var engine = new EngineOptions();
        var command = new Command(
            "sample",
            "Times n samples of one random prompt. Prefill is the prompt's pass, up to the hidden state of its last token; decode is every step after it: forward pass, logits, "
            + "and drawing at temperature 1 over the whole vocabulary with log-probabilities. Loading is not timed. The roofline is measured in the same run.");
        foreach (Option option in new Option[] { model, samples, promptTokens, newTokens, repeat, seed })
        {
            command.Options.Add(option);
        }

        engine.AddTo(command);
        command.Options.Add(json);
        command.SetAction(result =>
        {
            var settings = engine.Read(result);
            if (settings.Device.IsSimulator)
            {
                throw new BadInputException("farm bench sample measures time, which the driver simulator has none of; farm bench kernels --device cuda-sim counts instead.");
            }

            int n = Positive("-n", result.GetRequiredValue(samples)), prompt = Positive("--prompt-tokens", result.GetRequiredValue(promptTokens));
            int tokens = Positive("--new-tokens", result.GetRequiredValue(newTokens)), runs = Positive("--repeat", result.GetRequiredValue(repeat));
            var folder = ModelFolder.OpenShape(result.GetRequiredValue(model));
            if (prompt + tokens > folder.Config.MaxPositionEmbeddings)
            {
                throw new BadInputException(
                    $"--prompt-tokens {prompt} and --new-tokens {tokens} do not fit the model's context of {folder.Config.MaxPositionEmbeddings}.");
            }

            using var backend = Backends.Create(settings);
            using var decoder = folder.LoadDecoder(backend, settings.DType);
            using var generator = new Generator(decoder, tokenizer: null, new GenerationOptions
            {
                NumReturnSequences = n,
                MaxNewTokens = tokens,
                BatchSequences = n,
                Seed = result.GetValue(seed),
                EosIds = [],
            });
            var random = new Random(unchecked((int)result.GetValue(seed)));
            var input = new Prompt(0, [.. Enumerable.Range(0, prompt).Select(_ => random.Next(folder.Config.VocabularySize))]);
            Measure(generator, input, cancellation);
            var timed = Enumerable.Range(0, runs).Select(_ => Measure(generator, input, cancellation)).ToList();
            double prefill = Median(timed.Select(r => r.PrefillRate)), decode = Median(timed.Select(r => r.DecodeRate));
            // Measuring the machine takes memory of its own, so the peak is read before.
            long peak = PeakMemory.Bytes();
            var roofline = Backends.Measure(backend) is { } limits ? new Roofline(folder.Config, settings.DType, settings.Bf16Activations, decoder.StepBytes, limits) : null;
            // The first token of a sample comes from the prompt's hidden state; over the run a sample's own keys average half its length.
            // Of one token alone nothing is decoded: there is no pass of the model whose rate a roofline could bound.
            double? bound = tokens > 1 ? n / roofline?.DecodeStepSeconds(n, prompt, tokens / 2.0) : null;
            double? prefillBound = prompt / roofline?.PrefillSeconds(prompt);
            if (result.GetValue(json))
            {
                StandardOutput.WriteLine(w =>
                {
                    w.WriteStartObject();
                    w.WriteString("dtype", settings.DType.Name());
                    w.WriteString("activations", settings.Bf16Activations ? "bf16" : "f32");
                    w.WriteNumber("threads", settings.Threads);
                    w.WriteNumber("n", n);
                    w.WriteNumber("prompt_tokens", prompt);
                    w.WriteNumber("new_tokens", tokens);
                    w.WriteNumber("repeat", runs);
                    w.WriteNumber("prefill_tokens_per_second", Math.Round(prefill, 2));
                    w.WriteNumber("decode_tokens_per_second", Math.Round(decode, 2));
                    if (bound is { } decodeLimit)
                    {
                        w.WriteNumber("roofline_decode_tokens_per_second", Math.Round(decodeLimit, 2));
                        w.WriteNumber("roofline_fraction", Math.Round(decode / decodeLimit, 4));
                    }

                    if (prefillBound is { } prefillLimit)
                    {
                        w.WriteNumber("roofline_prefill_tokens_per_second", Math.Round(prefillLimit, 2));
                        w.WriteNumber("roofline_prefill_fraction", Math.Round(prefill / prefillLimit, 4));
                    }

                    w.WriteNumber("weight_bytes", decoder.WeightBytes);
                    w.WriteNumber("kv_bytes", generator.Statistics.PeakKvBytes);
                    w.WriteNumber("peak_rss_bytes", peak);
                    w.WriteEndObject();
                });
            }
            else
            {
                Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"prefill  {prefill,9:F1} tokens/s{Share(prefill, prefillBound)}"));
                Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"decode   {decode,9:F1} tokens/s{Share(decode, bound)}"));
                Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"memory   {peak / 1048576.0,9:F0} MiB at most, weights {decoder.WeightBytes / 1048576.0:F0} MiB"));
            }

            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>One run, from the difference of the generator's statistics, which add up.</summary>
    private static Run Measure(Generator generator, Prompt prompt, CancellationToken cancellation)
    {
        var statistics = generator.Statistics;
        long prefillTokens = statistics.PrefillTokens, decodeTokens = statistics.DecodeTokens;
        double prefillSeconds = statistics.PrefillSeconds, decodeSeconds = statistics.DecodeSeconds;
        generator.Generate([prompt], _ => { }, cancellation: cancellation);
        return new Run(
            (statistics.PrefillTokens - prefillTokens) / (statistics.PrefillSeconds - prefillSeconds),
            (statistics.DecodeTokens - decodeTokens) / (statistics.DecodeSeconds - decodeSeconds));
    }

    private static string Share(double rate, double? bound) =>
        bound is { } limit ? string.Create(CultureInfo.InvariantCulture, $"  {rate / limit,5:P0} of the roofline ({limit:F1})") : string.Empty;

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[sorted.Length / 2] + sorted[(sorted.Length - 1) / 2]) / 2;
    }

    private static int Positive(string name, int value) => value >= 1 ? value : throw new BadInputException($"{name} must be at least 1, not {value}.");
}
