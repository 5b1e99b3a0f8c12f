using System.CommandLine;
using System.Text.Json.Nodes;
using Farm.Cli.Data;
using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Core;
using Farm.Inference;
using Farm.Models.Prompts;
using Farm.Training.Model;
using Farm.Training.Tasks;

namespace Farm.Cli.Verbs;

/// <summary><c>farm expert-iteration</c>: best-of-n, then fine-tuning on the winners.</summary>
internal static class ExpertIterationVerb
{
    private const string SamplesFile = "best_of_n_samples.json";

    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var options = new TrainingOptions(learningRate: 2e-5, epochs: 3, accumulation: 16, hasTrain: false);
        var reward = new Option<string>("--reward") { Description = "Folder of the reward model that ranks.", HelpName = "DIR", Required = true };
        var input = new Option<string>("--input") { Description = "Instructions to sample on: JSON, JSON Lines, or pocket:unlabeled.", HelpName = "FILE", Required = true };
        var samples = new Option<int>("--num-return-sequences") { Description = "Samples of each instruction.", HelpName = "N", DefaultValueFactory = _ => 16 };
        var temperature = new Option<double>("--temperature") { Description = "Temperature of the samples.", HelpName = "T", DefaultValueFactory = _ => 1 };
        var topP = new Option<double>("--top-p") { Description = "Nucleus of the samples; AlpacaFarm's best-of-n samples with 0.9.", HelpName = "P", DefaultValueFactory = _ => 1 };
        var newTokens = new Option<int>("--max-new-tokens") { Description = "Most tokens of a response.", HelpName = "L", DefaultValueFactory = _ => 300 };
        var command = new Command("expert-iteration", $"Samples n responses to each instruction, keeps the best by a reward model in OUTPUT/{SamplesFile}, and goes on fine-tuning on them.");
        options.AddTo(command);
        foreach (var option in new Option[] { reward, input, samples, temperature, topP, newTokens })
        {
            command.Options.Add(option);
        }

        command.SetAction(result =>
        {
            var settings = options.Read(result);
            var generation = new GenerationOptions
            {
                NumReturnSequences = result.GetValue(samples),
                MaxNewTokens = result.GetValue(newTokens),
                Sampling = new SamplingParameters { Temperature = (float)result.GetValue(temperature), TopP = (float)result.GetValue(topP) },
                Seed = settings.Trainer.Seed,
            };
            generation.Validate();
            Run(settings, result.GetRequiredValue(reward), result.GetRequiredValue(input), generation, quiet: false, cancellation);
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>Samples what is not sampled yet, then trains.</summary>
    internal static void Run(TrainingSettings settings, string reward, string input, GenerationOptions generation, bool quiet, CancellationToken cancellation)
    {
        var session = TrainingSession.Open(settings, ModelHead.Language);
        var policy = ModelFolder.OpenDecoder(settings.Model);
        var judge = ModelFolder.OpenScorer(reward);
        if (!Vocabularies.AreSame(policy.RequireTokenizer(), judge.RequireTokenizer()))
        {
            throw new BadInputException($"The policy {settings.Model} and the reward model {reward} have different tokenizers; both must come from one fine-tuned model.");
        }

        var rows = SourceRow.Read(input, settings.MaxInstances);
        string output = settings.Trainer.OutputFolder, file = Path.Combine(output, SamplesFile);
        Directory.CreateDirectory(output);
        var fingerprint = new JsonObject
        {
            ["verb"] = "expert-iteration",
            ["input"] = Fingerprint.OfTexts(rows.SelectMany(r => new[] { r.Instruction, r.Input ?? string.Empty })),
            ["decoder"] = policy.Fingerprint(),
            ["scorer"] = judge.Fingerprint(),
            ["samples"] = generation.NumReturnSequences,
            ["max_new_tokens"] = generation.MaxNewTokens,
            ["temperature"] = generation.Sampling.Temperature,
            ["top_p"] = generation.Sampling.TopP,
            ["seed"] = generation.Seed,
            ["dtype"] = settings.DType.Name(),
        };
        if (settings.Device.IsCuda)
        {
            fingerprint["device"] = settings.Bf16Activations ? $"{settings.Device.Fingerprint}, bf16 activations" : settings.Device.Fingerprint;
        }

        string stamp = file + ".settings.json";
        if (!File.Exists(file) || !File.Exists(stamp) || File.ReadAllText(stamp) != fingerprint.ToJsonString())
        {
            if (File.Exists(file) && settings.Trainer.Resume)
            {
                throw new BadInputException($"{file} was sampled with other settings; leave --resume out to sample again.");
            }

            Sample(settings, policy, judge, rows, generation, session.Prompts, file, fingerprint, cancellation);
            File.WriteAllText(stamp, fingerprint.ToJsonString());
        }

        var train = session.Builder.Sft(TrainingData.Sft(file, null));
        var eval = settings.Eval is null ? null : session.Builder.Sft(TrainingData.Sft(settings.Eval, settings.MaxInstances));
        session.Run(new SftTask(), train, eval, cancellation, quiet: quiet);
    }

    private static void Sample(
        TrainingSettings settings, ModelFolder policy, ModelFolder judge, IReadOnlyList<SourceRow> rows, GenerationOptions generation, PromptDictionary templates, string file, JsonObject fingerprint,
        CancellationToken cancellation)
    {
        bool unfinished = File.Exists(Journal.PathOf(file));
        if (File.Exists(file))
        {
            File.Delete(file);
        }

        using var journal = Journal.Open(file, fingerprint, settings.Trainer.Resume && unfinished, settings.Restart);
        using var backend = Backends.Create(settings.Device, settings.Threads, settings.Bf16Activations);
        ModelFolder.RequireMemory(backend, policy, judge, settings.DType);
        using var decoder = policy.LoadDecoder(backend, settings.DType);
        using var model = judge.LoadScorer(backend, settings.DType);
        using var generator = new Generator(decoder, policy.Tokenizer, generation);
        using var scorer = new Scorer(model, judge.Tokenizer);
        Prompt[] waiting = [.. rows.Select((r, i) => (Text: templates.Format(r.Instruction, r.Input), Index: i)).Where(p => !journal.Contains(p.Index))
            .Select(p => new Prompt(p.Index, policy.Tokenizer!.Encode(p.Text), p.Text))];
        GenerationSession.Run("Best of n", rows.Count, waiting.Length, journal, progress => BestOfN.Run(
            generator, scorer, waiting, new BestOfNOptions(),
            done => journal.Append(done.Prompt.Index, w =>
            {
                var row = rows[done.Prompt.Index];
                w.WriteStartObject();
                w.WriteString("instruction", row.Instruction);
                w.WriteString("input", row.Input ?? string.Empty);
                w.WriteString("output", done.Best.Sample.Text);
                w.WriteNumber("reward", done.Best.Reward);
                w.WriteString("decoder_name_or_path", policy.FolderPath);
                w.WriteString("scorer_name_or_path", judge.FolderPath);
                w.WriteString("sample_mode", FormattableString.Invariant(
                    $"best_of_{generation.NumReturnSequences}_temperature={generation.Sampling.Temperature},top_p={generation.Sampling.TopP},max_new_tokens={generation.MaxNewTokens},seed={generation.Seed}"));
                w.WriteEndObject();
            }),
            progress, cancellation));
        journal.Complete();
    }
}
