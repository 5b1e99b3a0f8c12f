using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Cli.Data;
using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Core;
using Farm.Inference;

namespace Farm.Cli.Verbs;

/// <summary><c>farm decode</c>: samples of prompts, as AlpacaFarm's rows, as lines of JSON, or as text.</summary>
internal static class DecodeVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var model = new Option<string>("--model") { Description = "Model folder.", HelpName = "DIR", Required = true };
        var topLogits = new Option<int?>("--top-logits") { Description = "Prints the K highest logits after the prompt instead of decoding.", HelpName = "K" };
        var json = new Option<bool>("--json") { Description = "Prints each sample as a line of JSON." };
        var source = new SourceOptions();
        var prompts = new PromptOptions(chat: true);
        var sampling = new SamplingOptions(defaultSamples: 1);
        var run = new RunOptions(outputRequired: false);
        var engine = new EngineOptions();

        var command = new Command("decode", "Generates responses to prompts.");
        command.Options.Add(model);
        source.AddTo(command);
        prompts.AddTo(command);
        sampling.AddTo(command);
        command.Options.Add(topLogits);
        run.AddTo(command);
        engine.AddTo(command);
        command.Options.Add(json);
        command.SetAction(result =>
        {
            var settings = engine.Read(result);
            var drawn = sampling.Read(result);
            var folder = ModelFolder.OpenDecoder(result.GetRequiredValue(model));
            var items = source.Read(result, prompts, folder);
            if (result.GetValue(topLogits) is { } count)
            {
                PrintTopLogits(folder, settings, items, count);
                return ExitCodes.Done;
            }

            if (drawn.Stop.Count > 0)
            {
                folder.RequireTokenizer();
            }

            using var journal = run.OutputPath(result) is { } output
                ? run.OpenJournal(result, output, Fingerprint(folder, items, drawn, settings))
                : null;
            Decode(folder, settings, items, drawn, journal, result.GetValue(json), cancellation);
            return ExitCodes.Done;
        });
        return command;
    }

    private static JsonObject Fingerprint(ModelFolder folder, IReadOnlyList<PromptItem> items, SamplingSettings drawn, EngineSettings settings)
    {
        var fingerprint = new JsonObject { ["verb"] = "decode", ["input"] = InputFingerprint.Of(items), ["model"] = folder.Fingerprint() };
        drawn.AddTo(fingerprint);
        fingerprint["dtype"] = settings.Precision;
        fingerprint["device"] = settings.Device.Name;
        return fingerprint;
    }

    private static void Decode(
        ModelFolder folder, EngineSettings settings, List<PromptItem> items, SamplingSettings drawn, Journal? journal, bool json, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        using var backend = Backends.Create(settings);
        using var model = folder.LoadDecoder(backend, settings.DType);
        using var generator = new Generator(model, folder.Tokenizer, GenerationSession.Options(drawn));
        var waiting = GenerationSession.Waiting(items, journal);
        var places = waiting.Select((p, i) => (p.Index, Place: i)).ToDictionary(p => p.Index, p => p.Place);
        bool text = !json && journal is null;
        var printed = new InOrder<PromptResult>(r => Print(r, json, text, items.Count > 1 || drawn.Samples > 1));
        GenerationSession.Run("Decoding", items.Count, waiting.Count, journal, progress => generator.Generate(
            waiting,
            done =>
            {
                journal?.Append(done.Prompt.Index, w => WriteRow(w, items[done.Prompt.Index], done, folder, drawn));
                printed.Add(places[done.Prompt.Index], done);
            },
            progress,
            cancellation));
        journal?.Complete();
        var report = RunReport.Finish(generator.Statistics, model, start);
        Console.Error.WriteLine(report);
    }

    private static void Print(PromptResult result, bool json, bool text, bool several)
    {
        foreach (var sample in result.Samples)
        {
            if (json)
            {
                StandardOutput.WriteLine(w => SampleWriter.WriteLine(w, result.Prompt.Index, sample));
            }
            else if (text)
            {
                if (several)
                {
                    Console.Out.WriteLine($"--- prompt {result.Prompt.Index + 1}, sample {sample.SampleIndex + 1}");
                }

                Console.Out.WriteLine(sample.Text ?? string.Join(',', sample.TokenIds));
            }
        }
    }

    /// <summary>AlpacaFarm's decode row, its samples in detail, and what else the input row holds.</summary>
    private static void WriteRow(Utf8JsonWriter writer, PromptItem item, PromptResult result, ModelFolder folder, SamplingSettings drawn)
    {
        writer.WriteStartObject();
        RowWriter.WriteHead(writer, item);
        if (result.Samples.Count == 1)
        {
            writer.WriteString("output", result.Samples[0].Text);
        }
        else
        {
            writer.WriteStartArray("output");
            foreach (var sample in result.Samples)
            {
                writer.WriteStringValue(sample.Text);
            }

            writer.WriteEndArray();
        }

        writer.WriteString("prompt", item.Text);
        writer.WriteString("decoder_name_or_path", folder.FolderPath);
        writer.WriteString("sample_mode", drawn.SampleMode);
        writer.WriteStartArray("samples");
        foreach (var sample in result.Samples)
        {
            SampleWriter.WriteDetail(writer, sample, sample.Text);
        }

        writer.WriteEndArray();
        RowWriter.WriteCarried(writer, item.Row, "prompt", "decoder_name_or_path", "sample_mode", "samples");
        writer.WriteEndObject();
    }

    private static void PrintTopLogits(ModelFolder folder, EngineSettings settings, IReadOnlyList<PromptItem> items, int count)
    {
        if (count < 1)
        {
            throw new BadInputException($"--top-logits must be at least 1, not {count}.");
        }

        using var backend = Backends.Create(settings);
        using var model = folder.LoadDecoder(backend, settings.DType);
        using var evaluator = new Evaluator(model);
        foreach (var item in items)
        {
            var top = evaluator.TopLogits(item.Ids, count);
            StandardOutput.WriteLine(w =>
            {
                w.WriteStartObject();
                w.WriteNumber("prompt_index", item.Index);
                w.WriteStartArray("top_logits");
                foreach (var token in top)
                {
                    w.WriteStartObject();
                    w.WriteNumber("id", token.Id);
                    w.WriteNumber("logit", token.Logit);
                    w.WriteEndObject();
                }

                w.WriteEndArray();
                w.WriteEndObject();
            });
        }
    }
}
