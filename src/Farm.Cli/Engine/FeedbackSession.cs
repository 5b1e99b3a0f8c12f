using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Cli.Data;
using Farm.Cli.Machine;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Core;
using Farm.Inference;
using Farm.Models.Checkpoints;
using Farm.Models.Llama;
using Farm.Models.Prompts;
using Farm.Models.Tokenizers;
using Farm.Training.Checkpoints;
using Farm.Training.Data;
using Farm.Training.Metrics;
using Farm.Training.Model;
using Farm.Training.Reinforcement;

namespace Farm.Cli.Engine;

/// <summary>What a run of <c>farm ppo</c> or <c>farm quark</c> reads before any weight is loaded: two model folders of one vocabulary, and instructions.</summary>
internal sealed class FeedbackSession
{
    /// <summary>What to change where a plan is more than the device has.</summary>
    public const string LessMemory = "use --layout lora (ppo), --dtype bf16 or --recompute, or give --step-per-device-batch-size, --rollout-per-device-batch-size, --query-len or --response-len less";

    private readonly PromptDictionary _templates;

    /// <summary>Opens the folders and checks what can be checked.</summary>
    /// <exception cref="BadInputException">They do not go together, or the output holds another run.</exception>
    public FeedbackSession(FeedbackSettings settings, bool resume)
    {
        Settings = settings;
        if (!resume && !settings.Restart && new TrainingCheckpoints(settings.Output).Steps() is [.., var newest])
        {
            throw new BadInputException($"{settings.Output} holds the checkpoints of a run that came to step {newest}: go on with --resume, or begin again with --restart.");
        }

        Policy = ModelFolder.OpenDecoder(settings.Policy);
        Reward = ModelFolder.OpenScorer(settings.Reward);
        Tokenizer = Policy.Tokenizer ?? throw new BadInputException($"{settings.Policy} has neither tokenizer.model nor tokenizer.json, so text cannot be tokenised.");
        var other = Reward.Tokenizer ?? throw new BadInputException($"{settings.Reward} has neither tokenizer.model nor tokenizer.json, so nothing tells that it reads the policy's tokens.");
        if (!Vocabularies.AreSame(Tokenizer, other))
        {
            throw new BadInputException($"The policy {settings.Policy} and the reward model {settings.Reward} have different tokenizers; both must come from one fine-tuned model.");
        }

        Resize = TokenizerFiles.Resize(Tokenizer);
        Context = Math.Min(Policy.Config.MaxPositionEmbeddings, Reward.Config.MaxPositionEmbeddings);
        _templates = settings.PromptDictionary is { } file ? PromptDictionary.Load(file) : PromptDictionary.Default;
    }

    /// <summary>The flags.</summary>
    public FeedbackSettings Settings { get; }

    /// <summary>The policy's folder.</summary>
    public ModelFolder Policy { get; }

    /// <summary>The reward model's folder.</summary>
    public ModelFolder Reward { get; }

    /// <summary>The tokenizer of both.</summary>
    public ITokenizer Tokenizer { get; }

    /// <summary>The policy's vocabulary with a padding token.</summary>
    public (int PadId, bool Added, int VocabularySize) Resize { get; }

    /// <summary>The shorter context of the two.</summary>
    public int Context { get; }

    /// <summary>The folder of the reward model's adapters, if it was trained as adapters on this very policy.</summary>
    public string? RewardAdapter
    {
        get
        {
            string folder = Path.Combine(Settings.Reward, "adapter"), config = Path.Combine(folder, "adapter_config.json");
            if (Settings.Layout != PpoLayout.Lora || !File.Exists(config))
            {
                return null;
            }

            string? trainedOn;
            try
            {
                trainedOn = (string?)JsonNode.Parse(File.ReadAllText(config))?["base_model_name_or_path"];
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException or IOException)
            {
                throw new BadInputException($"{config} is not the configuration of adapters.", e);
            }

            return trainedOn is not null && Path.GetFullPath(trainedOn) == Path.GetFullPath(Settings.Policy) ? folder : null;
        }
    }

    /// <summary>Reads instructions as prompts.</summary>
    /// <exception cref="BadInputException">The file cannot be read or has no rows.</exception>
    public (IReadOnlyList<RolloutPrompt> Prompts, IReadOnlyList<SourceRow> Rows) Prompts(string source)
    {
        var rows = SourceRow.Read(source, Settings.MaxInstances);
        return ([.. rows.Select(r =>
        {
            string text = _templates.Format(r.Instruction, r.Input);
            return new RolloutPrompt(r.Number, Tokenizer.Encode(text), text);
        })], rows);
    }

    /// <summary>Most tokens of any prompt that is sampled on: longer ones than the query length are dropped, except in an evaluation.</summary>
    public static int Longest(IReadOnlyList<RolloutPrompt> train, int queryLength, IReadOnlyList<RolloutPrompt>? eval = null) =>
        train.Where(p => p.Ids.Length <= queryLength).Concat(eval ?? []).Select(p => p.Ids.Length).DefaultIfEmpty(queryLength).Max();

    /// <summary>Digest of prompts, for fingerprints.</summary>
    public static string Digest(IEnumerable<RolloutPrompt> prompts) => Fingerprint.OfTexts(prompts.Select(p => string.Join(' ', p.Ids)));

    /// <summary>Clears an unfinished run where that was asked for.</summary>
    public void Begin()
    {
        if (Settings.Restart)
        {
            new TrainingCheckpoints(Settings.Output).Clear();
        }
    }

    /// <summary>Loads the reward model as a network of its own.</summary>
    public (RewardModel Model, Scorer Scorer) LoadScorer(IBackend backend, PpoOptions options)
    {
        var type = Settings.DType == DType.F32 ? DType.F32 : DType.BF16;
        var model = Reward.LoadScorer(backend, type);
        var scorer = new Scorer(model, Reward.Tokenizer, new ScorerOptions { Rows = PpoMemoryPlan.ScoringRows, KvBudgetBytes = PpoMemoryPlan.ScoringKvBytes(Reward.Config, type, options) });
        return (model, scorer);
    }

    /// <summary>Saves a policy as a model folder, with adapters beside it.</summary>
    public void Save(TrainableLlama policy, ICheckpoint checkpoint, string folder, IReadOnlyList<string>? tokens = null)
    {
        Directory.CreateDirectory(folder);
        if (policy.Options.Lora is not null)
        {
            PeftAdapter.Save(policy, Settings.Policy, Path.Combine(folder, "adapter"));
        }

        TokenizerFiles.Copy(Settings.Policy, folder, Resize.Added ? Resize.PadId : null);
        if (tokens is not null)
        {
            TokenizerFiles.AddSpecialTokens(folder, tokens, Resize.VocabularySize);
        }

        ModelSaver.Save(policy, checkpoint, folder, Settings.SaveDType, Resize.PadId);
    }

    /// <summary>Keeps the queries and responses of a step, decoded with their special tokens as AlpacaFarm does.</summary>
    public void SaveRollouts(int step, IReadOnlyList<Rollout> rollouts)
    {
        string path = Path.Combine(Settings.Output, "rollouts", $"step_{step}.json");
        WholeFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(rollouts.Select(r => new
        {
            queries = Tokenizer.Decode(r.Prompt.Ids, skipSpecialTokens: false),
            responses = Tokenizer.Decode(r.Response, skipSpecialTokens: false),
            rewards = r.Reward,
        })));
    }

    /// <summary>AlpacaFarm's file of an evaluation: each row with its response and reward.</summary>
    public void SaveEvaluation(int step, IReadOnlyList<Rollout> rollouts, IReadOnlyList<SourceRow> rows)
    {
        string path = Path.Combine(Settings.Output, $"eval_results_{step}.json"), name = $"{Path.GetFileName(Path.TrimEndingDirectorySeparator(Settings.Output))}_ckpt_{step}";
        var results = rollouts.Zip(rows, (rollout, row) =>
        {
            var fields = new JsonObject { ["reward"] = rollout.Reward, [name] = rollout.Text };
            foreach (var (field, value) in row.Fields)
            {
                fields.TryAdd(field, value?.DeepClone());
            }

            return (JsonNode)fields;
        });
        WholeFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(new JsonArray([.. results])));
    }

    /// <summary>Says how a run ended.</summary>
    public void Report(string title, PpoSummary summary, string metrics, PpoMemoryPlan plan)
    {
        HtmlReport.Write(Path.Combine(Settings.Output, "report.html"), $"{title}: {Path.GetFileName(Path.TrimEndingDirectorySeparator(Settings.Policy))}", JsonLinesSink.Read(metrics));
        if (!Settings.Json)
        {
            Console.Out.WriteLine(FormattableString.Invariant($"{summary.Steps} steps in {summary.Seconds:F1} s: {Settings.Output}"));
            return;
        }

        StandardOutput.WriteLine(w =>
        {
            w.WriteStartObject();
            w.WriteString("output", Settings.Output);
            w.WriteNumber("steps", summary.Steps);
            w.WriteNumber("resumed_from", summary.ResumedFrom);
            foreach (var (name, value) in summary.Statistics.Where(v => double.IsFinite(v.Value)))
            {
                w.WriteNumber(name, value);
            }

            if (summary.BestStep > 0)
            {
                w.WriteNumber("best_step", summary.BestStep);
                w.WriteNumber("best_eval", summary.BestEvaluation);
            }

            w.WriteNumber("seconds", Math.Round(summary.Seconds, 3));
            w.WriteNumber("peak_rss_bytes", PeakMemory.Bytes());
            Backends.WriteMemory(w, plan.Total);
            w.WriteEndObject();
        });
    }
}
