using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Farm.Cli.Machine;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Prompts;
using Farm.Models.Tokenizers;
using Farm.Training;
using Farm.Training.Checkpoints;
using Farm.Training.Data;
using Farm.Training.Metrics;
using Farm.Training.Model;
using Farm.Training.Tasks;

namespace Farm.Cli.Engine;

/// <summary>Completes examples with what only the loaded model knows.</summary>
/// <param name="model">The model.</param>
/// <param name="digest">Its digest.</param>
/// <param name="examples">The examples.</param>
/// <param name="rows">Rows of the run's passes, whose memory is planned.</param>
internal delegate ExampleSet PrepareExamples(TrainableLlama model, string digest, ExampleSet examples, int rows);

/// <summary>A run of <c>farm sft</c>, <c>farm reward</c>, or a method that is one of them with other examples, from the model folder to the saved model.</summary>
internal sealed class TrainingSession
{
    private const string LessMemory = "train adapters (--lora-rank), use --dtype bf16 or --recompute, or give --per-device-train-batch-size or --model-max-length less";

    private readonly TrainingSettings _settings;
    private readonly ModelFolder _folder;
    private readonly ModelHead _head;
    private readonly IReadOnlyList<string> _controlTokens = [];
    private readonly (int PadId, bool Added, int VocabularySize)? _resize;

    private TrainingSession(TrainingSettings settings, ModelHead head, IReadOnlyList<string> controlTokens)
    {
        _settings = settings;
        _head = head;
        _folder = ModelFolder.OpenDecoder(settings.Model);
        if (settings.MaxLength > _folder.Config.MaxPositionEmbeddings)
        {
            throw new BadInputException($"--model-max-length {settings.MaxLength} is more than the model's context of {_folder.Config.MaxPositionEmbeddings}.");
        }

        Prompts = settings.PromptDictionary is { } file ? PromptDictionary.Load(file) : PromptDictionary.Default;
        var tokenizer = _folder.Tokenizer ?? throw new BadInputException($"{settings.Model} has neither tokenizer.model nor tokenizer.json, so text cannot be tokenised.");
        // AlpacaFarm's reward modeling takes the tokenizer as it is.
        _resize = head == ModelHead.Language ? TokenizerFiles.Resize(tokenizer) : null;
        if (_resize is { } resize && controlTokens.Any(t => tokenizer.IdOf(t) is null))
        {
            _controlTokens = [.. controlTokens.Where(t => tokenizer.IdOf(t) is null)];
            tokenizer = ExtendedTokenizer.Load(settings.Model, resize.Added ? resize.PadId : null, _controlTokens, resize.VocabularySize);
            _resize = resize with { VocabularySize = resize.VocabularySize + _controlTokens.Count };
        }

        Builder = new ExampleBuilder(tokenizer, TokenizerSettings.Load(settings.Model).Eos, Prompts, settings.MaxLength);
    }

    /// <summary>Templates of prompts.</summary>
    public PromptDictionary Prompts { get; }

    /// <summary>Turns rows into examples.</summary>
    public ExampleBuilder Builder { get; }

    /// <summary>Opens the model folder and checks what can be checked before rows are read.</summary>
    public static TrainingSession Open(TrainingSettings settings, ModelHead head, IReadOnlyList<string>? controlTokens = null)
    {
        var checkpoints = new TrainingCheckpoints(settings.Trainer.OutputFolder);
        if (settings.Restart && settings.Trainer.Resume)
        {
            throw new BadInputException("Give either --resume or --restart, not both.");
        }

        if (!settings.Trainer.Resume && !settings.Restart && checkpoints.Steps() is [.., var newest])
        {
            throw new BadInputException(
                $"{settings.Trainer.OutputFolder} holds the checkpoints of a run that came to step {newest}: go on with --resume, or begin again with --restart.");
        }

        return new TrainingSession(settings, head, controlTokens ?? []);
    }

    /// <summary>Trains and saves.</summary>
    /// <param name="task">The objective.</param>
    /// <param name="train">Examples to train on.</param>
    /// <param name="eval">Examples to evaluate on.</param>
    /// <param name="cancellation">Stops after the update that is under way.</param>
    /// <param name="prepare">Completes examples with what only the loaded model knows.</param>
    /// <param name="quiet">Reports nothing on standard output.</param>
    public TrainingSummary Run(
        TrainingTask task, ExampleSet train, ExampleSet? eval, CancellationToken cancellation, PrepareExamples? prepare = null, bool quiet = false)
    {
        string output = _settings.Trainer.OutputFolder;
        foreach (string note in Notes(train, "to train on").Concat(eval is null ? [] : Notes(eval, "to evaluate on")))
        {
            Console.Error.WriteLine(note);
        }

        if (train.Examples.Count == 0)
        {
            throw new BadInputException($"{_settings.Train}: no row is left to train on.");
        }

        var options = new TrainableLlamaOptions
        {
            DType = _settings.DType,
            Head = _head,
            VocabularySize = _resize?.VocabularySize,
            Lora = _settings.Lora,
            Recompute = _settings.Recompute,
            Seed = _settings.Trainer.Seed,
            MaxPositions = _settings.MaxLength,
        };
        using var backend = Backends.Create(_settings.Device, _settings.Threads, _settings.Bf16Activations);
        int rows = Trainer.RowsOfPass(train.Examples, eval?.Examples ?? [], _settings.Trainer);
        var plan = TrainingMemoryPlan.For(_folder.Config, options, rows, backend);
        Console.Error.WriteLine(plan);
        Backends.RequireMemory(backend, plan.Total, plan.Scratch, LessMemory);
        using var checkpoint = Checkpoint.Open(_settings.Model);
        using var model = TrainableLlama.Load(backend, checkpoint, _folder.Config, options);
        if (_settings.Restart)
        {
            new TrainingCheckpoints(output).Clear();
        }

        string digest = (string)_folder.Fingerprint()["sha256"]!;
        if (prepare is not null)
        {
            train = prepare(model, digest, train, rows);
            eval = eval is null ? null : prepare(model, digest, eval, rows);
        }

        string metrics = Path.Combine(output, "metrics.jsonl");
        using var lines = new JsonLinesSink(metrics);
        using var events = new TensorBoardSink(Path.Combine(output, "tensorboard"));
        using var console = new ConsoleSink();
        using var trainer = new Trainer(
            model, task, train.Examples, eval?.Examples ?? [], _settings.Trainer,
            new JsonObject { ["model"] = digest, ["data"] = Digest(train), ["model_max_length"] = _settings.MaxLength }, [lines, events, console]);
        Console.Error.WriteLine(FormattableString.Invariant(
            $"{model.Trained.Count / 1e6:F2} M parameters to train, {train.Examples.Count} examples, {trainer.TotalSteps} updates of {trainer.Plan.ExamplesPerUpdate}."));
        TrainingSummary summary;
        try
        {
            summary = trainer.Run(cancellation);
        }
        catch (OperationCanceledException)
        {
            throw new InterruptedRunException($"Interrupted; a checkpoint is in {output}, and --resume goes on from it.");
        }

        Save(model, checkpoint, output);
        HtmlReport.Write(Path.Combine(output, "report.html"), $"{task.Name}: {Path.GetFileName(Path.TrimEndingDirectorySeparator(_settings.Model))}", JsonLinesSink.Read(metrics));
        if (!quiet)
        {
            Report(summary, train, output, plan.Total);
        }

        return summary;
    }

    private static IEnumerable<string> Notes(ExampleSet set, string purpose)
    {
        if (set.Skipped > 0)
        {
            yield return $"{set.Skipped} rows {purpose} are skipped: the prompt alone fills --model-max-length, or there are too many pairs.";
        }

        if (set.Truncated > 0)
        {
            yield return $"{set.Truncated} texts {purpose} are cut at --model-max-length.";
        }
    }

    private static string Digest(ExampleSet set)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var example in set.Examples)
        {
            hash.AppendData(BitConverter.GetBytes(example.FirstLabel));
            hash.AppendData(BitConverter.GetBytes(example.Target));
            foreach (int[] sequence in example.Sequences)
            {
                hash.AppendData(BitConverter.GetBytes(sequence.Length));
                hash.AppendData(System.Runtime.InteropServices.MemoryMarshal.AsBytes<int>(sequence));
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private void Save(TrainableLlama model, ICheckpoint checkpoint, string output)
    {
        if (_settings.Lora is not null)
        {
            PeftAdapter.Save(model, _settings.Model, Path.Combine(output, "adapter"));
        }

        TokenizerFiles.Copy(_settings.Model, output, _resize is { Added: true } resize ? resize.PadId : null);
        if (_controlTokens.Count > 0)
        {
            TokenizerFiles.AddSpecialTokens(output, _controlTokens, _resize!.Value.VocabularySize - _controlTokens.Count);
        }

        ModelSaver.Save(model, checkpoint, output, _settings.SaveDType, _resize?.PadId);
    }

    private void Report(TrainingSummary summary, ExampleSet train, string output, long planned)
    {
        if (!_settings.Json)
        {
            Console.Out.WriteLine(FormattableString.Invariant($"{summary.Steps} updates, last loss {summary.LastLoss:F4}, {summary.Tokens / Math.Max(summary.Seconds, 1e-9):F0} tokens/s: {output}"));
            return;
        }

        StandardOutput.WriteLine(w =>
        {
            w.WriteStartObject();
            w.WriteString("output", output);
            w.WriteNumber("steps", summary.Steps);
            w.WriteNumber("resumed_from", summary.ResumedFrom);
            w.WriteNumber("train_examples", train.Examples.Count);
            w.WriteNumber("skipped_rows", train.Skipped);
            w.WriteNumber("truncated_texts", train.Truncated);
            foreach (var (name, value) in new[] { ("loss", summary.LastLoss) }.Concat(summary.Evaluation).Where(v => double.IsFinite(v.Item2)))
            {
                w.WriteNumber(name, value);
            }

            w.WriteNumber("tokens", summary.Tokens);
            w.WriteNumber("seconds", Math.Round(summary.Seconds, 3));
            w.WriteNumber("peak_rss_bytes", PeakMemory.Bytes());
            Backends.WriteMemory(w, planned);
            w.WriteEndObject();
        });
    }
}
