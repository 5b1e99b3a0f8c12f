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

/// <summary><c>farm best-of-n</c>: n samples of each prompt, ranked by a reward model.</summary>
internal static class BestOfNVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var decoder = new Option<string?>("--decoder") { Description = "Folder of the model that samples.", HelpName = "DIR" };
        var scorer = new Option<string?>("--scorer") { Description = "Folder of the reward model that ranks.", HelpName = "DIR" };
        var input = new Option<string?>("--input") { Description = "Rows with instruction and input: AlpacaFarm's JSON, or JSON Lines.", HelpName = "FILE" };
        var scoreText = new Option<bool>("--score-text") { Description = "Scores the decoded text, tokenised again, as AlpacaFarm does; else the sampled ids." };
        var json = new Option<bool>("--json") { Description = "Prints what was measured as JSON." };
        var prompts = new PromptOptions(chat: true);
        var sampling = new SamplingOptions(defaultSamples: 4);
        var run = new RunOptions(outputRequired: false);
        var engine = new EngineOptions();

        var command = new Command("best-of-n", "Samples n responses to each instruction, scores them with a reward model, and keeps the best. With no --decoder, --scorer, --input and --output: the models that come with Farm, on its own instructions.");
        command.Options.Add(decoder);
        command.Options.Add(scorer);
        command.Options.Add(input);
        prompts.AddTo(command);
        sampling.AddTo(command);
        command.Options.Add(scoreText);
        run.AddTo(command);
        engine.AddTo(command);
        command.Options.Add(json);
        command.SetAction(result =>
        {
            var settings = engine.Read(result);
            var drawn = sampling.Read(result);
            string? output = run.OutputPath(result);
            (string Flag, string? Value)[] places = [("--decoder", result.GetValue(decoder)), ("--scorer", result.GetValue(scorer)), ("--input", result.GetValue(input)), ("--output", output)];
            if (places.All(p => p.Value is null))
            {
                return PocketDemo.Run(settings, drawn.Seed, prompts.MaxInstances(result), result.GetValue(json), cancellation);
            }

            if (places.FirstOrDefault(p => p.Value is null).Flag is { } missing)
            {
                throw new BadInputException($"{missing} is missing: best-of-n takes --decoder, --scorer, --input and --output together, or none of them to run on what comes with Farm.");
            }

            OutputFile.Check(output!);
            string file = result.GetValue(input)!;
            var rows = InstructionFile.Read(file, prompts.MaxInstances(result));
            var policy = ModelFolder.OpenDecoder(result.GetValue(decoder)!);
            var judge = ModelFolder.OpenScorer(result.GetValue(scorer)!);
            var items = PromptReader.FromRows(file, rows, prompts.Format(result, policy), policy.RequireTokenizer(), policy.Config.MaxPositionEmbeddings);
            var options = new BestOfNOptions { ScoreText = result.GetValue(scoreText), TextCleanup = TextCleanup.Apply };
            if (options.ScoreText && prompts.Chat(result))
            {
                throw new BadInputException("--score-text tokenises the prompt's text again, which a chat format's special tokens do not survive; leave out one of --score-text and --chat.");
            }

            if (!options.ScoreText)
            {
                Vocabularies.RequireSame(policy.Tokenizer, judge.Tokenizer);
            }

            using var journal = run.OpenJournal(result, output!, Fingerprint(policy, judge, items, drawn, settings, options));
            Run(policy, judge, settings, items, drawn, options, journal, result.GetValue(json), cancellation);
            return ExitCodes.Done;
        });
        return command;
    }

    private static JsonObject Fingerprint(
        ModelFolder policy, ModelFolder judge, IReadOnlyList<PromptItem> items, SamplingSettings drawn, EngineSettings settings, BestOfNOptions options)
    {
        var fingerprint = new JsonObject
        {
            ["verb"] = "best-of-n",
            ["input"] = InputFingerprint.Of(items),
            ["decoder"] = policy.Fingerprint(),
            ["scorer"] = judge.Fingerprint(),
        };
        drawn.AddTo(fingerprint);
        fingerprint["score-text"] = options.ScoreText;
        fingerprint["dtype"] = settings.Precision;
        fingerprint["device"] = settings.Device.Name;
        return fingerprint;
    }

    private static void Run(
        ModelFolder policy,
        ModelFolder judge,
        EngineSettings settings,
        List<PromptItem> items,
        SamplingSettings drawn,
        BestOfNOptions options,
        Journal journal,
        bool json,
        CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        using var backend = Backends.Create(settings);
        ModelFolder.RequireMemory(backend, policy, judge, settings.DType);
        using var decoder = policy.LoadDecoder(backend, settings.DType);
        using var reward = judge.LoadScorer(backend, settings.DType);
        using var generator = new Generator(decoder, policy.Tokenizer, GenerationSession.Options(drawn));
        using var scorer = new Scorer(reward, judge.Tokenizer);
        var waiting = GenerationSession.Waiting(items, journal);
        GenerationSession.Run("Best of n", items.Count, waiting.Count, journal, progress => BestOfN.Run(
            generator,
            scorer,
            waiting,
            options,
            done => journal.Append(done.Prompt.Index, w => WriteRow(w, items[done.Prompt.Index], done, policy, judge, drawn)),
            progress,
            cancellation));
        var summary = BestOfNSummary.Of(journal.Rows);
        journal.Complete();
        var report = RunReport.Finish(generator.Statistics, decoder, start);
        if (json)
        {
            StandardOutput.WriteLine(w =>
            {
                w.WriteStartObject();
                w.WriteString("output", journal.OutputPath);
                summary.WriteFields(w);
                report.WriteFields(w);
                w.WriteEndObject();
            });
            return;
        }

        summary.PrintTable();
        Console.Out.WriteLine(report);
        Console.Out.WriteLine(journal.OutputPath);
    }

    /// <summary>AlpacaFarm's best-of-n row, all samples in the order they were drawn, and what else the input row holds.</summary>
    private static void WriteRow(Utf8JsonWriter writer, PromptItem item, RankedPrompt ranked, ModelFolder policy, ModelFolder judge, SamplingSettings drawn)
    {
        writer.WriteStartObject();
        RowWriter.WriteHead(writer, item);
        writer.WriteString("output", ranked.Best.Sample.Text);
        writer.WriteString("decoder_name_or_path", policy.FolderPath);
        writer.WriteString("scorer_name_or_path", judge.FolderPath);
        writer.WriteString("sample_mode", $"best_of_n_{drawn.SampleMode}");
        writer.WriteStartArray("samples");
        foreach (var (sample, rank) in ranked.Samples.Select((s, i) => (s, i + 1)).OrderBy(p => p.s.Sample.SampleIndex))
        {
            SampleWriter.WriteDetail(writer, sample.Sample, sample.Sample.Text, sample.Reward, rank);
        }

        writer.WriteEndArray();
        RowWriter.WriteCarried(writer, item.Row, "decoder_name_or_path", "scorer_name_or_path", "sample_mode", "samples");
        writer.WriteEndObject();
    }
}
