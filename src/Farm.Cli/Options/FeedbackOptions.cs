using System.CommandLine;
using Farm.Core;
using Farm.Training.Methods;
using Farm.Training.Model;
using Farm.Training.Optimisation;
using Farm.Training.Reinforcement;

namespace Farm.Cli.Options;

/// <summary>What <c>farm ppo</c> and <c>farm quark</c> have in common, as the flags say it.</summary>
internal sealed record FeedbackSettings(
    string Policy, string Reward, string Input, string? Eval, string Output, bool Restart, PpoLayout Layout, LoraOptions? Lora, DType DType, DType SaveDType, int Threads, bool Recompute,
    string? PromptDictionary, int? MaxInstances, bool InitValueWithReward, bool Json)
{
    /// <summary>Where the work is done.</summary>
    public DeviceChoice Device { get; init; } = DeviceChoice.Cpu;

    /// <summary>Whether products on a GPU round their operands to bf16.</summary>
    public bool Bf16Activations { get; init; }
}

/// <summary>The flags that <c>farm ppo</c> and <c>farm quark</c> share, named as AlpacaFarm names them.</summary>
internal abstract class FeedbackOptions
{
    private readonly Option<string> _policy = new("--policy") { Description = "Folder of the fine-tuned model to start from.", HelpName = "DIR", Required = true };
    private readonly Option<string> _reward = new("--reward") { Description = "Folder of the reward model.", HelpName = "DIR", Required = true };
    private readonly Option<string> _input = new("--input") { Description = "Instructions to learn on: JSON, JSON Lines, or pocket:unlabeled.", HelpName = "FILE", Required = true };
    private readonly Option<string> _output = new("--output") { Description = "Folder for the policy, its metrics and checkpoints.", HelpName = "DIR", Required = true };
    private readonly Option<bool> _restart = new("--restart") { Description = "Throws the checkpoints of an unfinished run away and begins again." };
    private readonly Option<string> _layout = new("--layout") { Description = "full: separate networks; lora: adapters on one frozen base.", HelpName = "full|lora", DefaultValueFactory = _ => "full" };
    private readonly Option<int> _loraRank = new("--lora-rank") { Description = "Rank of the adapters (lora).", HelpName = "R", DefaultValueFactory = _ => 16 };
    private readonly Option<double> _loraAlpha = new("--lora-alpha") { Description = "Scale of adapters: alpha / rank.", HelpName = "A", DefaultValueFactory = _ => 32 };
    private readonly Option<string> _loraTargets = new("--lora-target-modules") { Description = "Modules with adapters, with commas between them, or all-linear.", HelpName = "NAMES", DefaultValueFactory = _ => LoraOptions.AllLinear };
    private readonly Option<string> _dtype = new("--dtype") { Description = "f32; or bf16: products read bf16 copies of f32 weights.", HelpName = "f32|bf16", DefaultValueFactory = _ => "f32" };
    private readonly Option<string?> _saveDtype = new("--save-dtype") { Description = "How the policy is stored; as --dtype unless given.", HelpName = "f32|bf16" };
    private readonly Option<int> _threads = new("--threads") { Description = "Threads of the kernels.", HelpName = "T", DefaultValueFactory = _ => Environment.ProcessorCount };
    private readonly Option<bool> _recompute = new("--recompute") { Description = "Keeps only the inputs of layers and computes the rest again." };
    private readonly Option<string?> _promptDictionary = new("--prompt-dict") { Description = "JSON file with the templates prompt_inputs and prompt_noinputs; AlpacaFarm's v0 templates unless given.", HelpName = "FILE" };
    private readonly Option<int?> _maxInstances = new("--max-instances") { Description = "Takes only the first K rows.", HelpName = "K" };
    private readonly Option<bool> _json = new("--json") { Description = "Prints what was done as JSON." };
    private readonly TrainingDeviceOptions _device = new();

    protected Option<int> RolloutBatchSize { get; } = new("--rollout-batch-size") { Description = "Responses sampled in an outer step.", HelpName = "N", DefaultValueFactory = _ => 512 };

    protected Option<int> RolloutPerDevice { get; } = new("--rollout-per-device-batch-size") { Description = "Responses sampled at a time.", HelpName = "B", DefaultValueFactory = _ => 32 };

    protected Option<int> StepBatchSize { get; } = new("--step-batch-size") { Description = "Responses of an update.", HelpName = "N", DefaultValueFactory = _ => 256 };

    protected Option<int> StepPerDevice { get; } = new("--step-per-device-batch-size") { Description = "Responses whose memory a pass is planned for.", HelpName = "B", DefaultValueFactory = _ => 2 };

    protected Option<int> TotalEpochs { get; } = new("--total-epochs") { Description = "Passes over the instructions.", HelpName = "E", DefaultValueFactory = _ => 10 };

    protected Option<int?> MaxSteps { get; } = new("--max-steps") { Description = "Ends after so many outer steps, instead of by epochs.", HelpName = "N" };

    protected Option<int> WarmupSteps { get; } = new("--warmup-steps") { Description = "Outer steps that warm up.", HelpName = "N", DefaultValueFactory = _ => 5 };

    protected Option<double> WeightDecay { get; } = new("--weight-decay") { Description = "Decoupled decay of matrices.", HelpName = "D" };

    protected Option<double> Epsilon { get; } = new("--adam-epsilon") { Description = "Added to the root of the second moment.", HelpName = "E", DefaultValueFactory = _ => 1e-5 };

    protected Option<double> MaxGradNorm { get; } = new("--max-grad-norm") { Description = "Bound on the global gradient norm; 0 for none.", HelpName = "C", DefaultValueFactory = _ => 1 };

    protected Option<double> Temperature { get; } = new("--temperature") { Description = "Temperature of rollouts and of all log-probabilities.", HelpName = "T", DefaultValueFactory = _ => 1 };

    protected Option<int> QueryLength { get; } = new("--query-len") { Description = "Most tokens of a prompt; longer ones are dropped.", HelpName = "Q", DefaultValueFactory = _ => 192 };

    protected Option<int> ResponseLength { get; } = new("--response-len") { Description = "Most tokens of a response.", HelpName = "L", DefaultValueFactory = _ => 300 };

    protected Option<ulong> Seed { get; } = new("--seed") { Description = "Seed of order and draws.", HelpName = "S", DefaultValueFactory = _ => 42 };

    protected Option<int?> SaveSteps { get; } = new("--save-steps") { Description = "Outer steps between checkpoints; none unless given, or when interrupted.", HelpName = "N" };

    protected Option<int?> SaveTotalLimit { get; } = new("--save-total-limit") { Description = "Checkpoints to keep.", HelpName = "K", DefaultValueFactory = _ => 1 };

    protected Option<bool> Resume { get; } = new("--resume") { Description = "Goes on from the newest checkpoint, to the same bits as an uninterrupted run." };

    /// <summary>The flags that only this method has.</summary>
    protected abstract IEnumerable<Option> Own { get; }

    /// <summary>Adds all flags to a verb.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _policy, _reward, _input, _output }.Concat(Own).Concat(
        [
            RolloutBatchSize, RolloutPerDevice, StepBatchSize, StepPerDevice, TotalEpochs, MaxSteps, WarmupSteps, WeightDecay, Epsilon, MaxGradNorm, Temperature, QueryLength, ResponseLength, Seed,
            SaveSteps, SaveTotalLimit, Resume, _restart, _layout, _loraRank, _loraAlpha, _loraTargets, _recompute, _dtype, _saveDtype, _threads, _promptDictionary, _maxInstances, _json,
        ]))
        {
            command.Options.Add(option);
        }

        _device.AddTo(command);
    }

    /// <summary>The constants of the optimiser.</summary>
    protected AdamWOptions AdamW(ParseResult result)
    {
        double epsilon = result.GetValue(Epsilon), decay = result.GetValue(WeightDecay);
        return epsilon > 0 && decay >= 0 && double.IsFinite(decay)
            ? new AdamWOptions { Epsilon = epsilon, WeightDecay = decay }
            : throw new BadInputException("--adam-epsilon must be over 0 and --weight-decay at least 0.");
    }

    /// <summary>Reads and checks what the methods share.</summary>
    protected FeedbackSettings ReadShared(ParseResult result, string? eval, bool initValueWithReward)
    {
        string output = result.GetRequiredValue(_output);
        if (File.Exists(output))
        {
            throw new BadInputException($"--output {output} is a file, not a folder.");
        }

        var layout = result.GetRequiredValue(_layout) switch
        {
            "full" => PpoLayout.Full,
            "lora" => PpoLayout.Lora,
            var other => throw new BadInputException($"--layout must be full or lora, not '{other}'."),
        };
        LoraOptions? lora = layout == PpoLayout.Full ? null : new LoraOptions
        {
            Rank = result.GetValue(_loraRank),
            Alpha = result.GetValue(_loraAlpha),
            TargetModules = result.GetRequiredValue(_loraTargets).Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
        };
        lora?.Validate();
        bool restart = result.GetValue(_restart);
        if (restart && result.GetValue(Resume))
        {
            throw new BadInputException("Give either --resume or --restart, not both.");
        }

        var type = Type("--dtype", result.GetRequiredValue(_dtype));
        var (device, bf16Activations) = _device.Read(result);
        return new FeedbackSettings(
            result.GetRequiredValue(_policy), result.GetRequiredValue(_reward), result.GetRequiredValue(_input), eval, output, restart, layout, lora, type,
            result.GetValue(_saveDtype) is { } save ? Type("--save-dtype", save) : type, EngineOptions.CheckThreads(result.GetValue(_threads)), result.GetValue(_recompute),
            result.GetValue(_promptDictionary), result.GetValue(_maxInstances) is not { } most ? null : most >= 1 ? most : throw new BadInputException($"--max-instances must be at least 1, not {most}."),
            initValueWithReward, result.GetValue(_json))
        { Device = device, Bf16Activations = bf16Activations };
    }

    private static DType Type(string flag, string name) => name switch
    {
        "f32" => DType.F32,
        "bf16" => DType.BF16,
        _ => throw new BadInputException($"{flag} must be f32 or bf16, not '{name}'."),
    };
}

/// <summary>The flags of <c>farm ppo</c>.</summary>
internal sealed class PpoFlags : FeedbackOptions
{
    private readonly Option<string> _mode = new("--mode") { Description = "masked: what the field knows to be right; alpacafarm: the original, step for step.", HelpName = "masked|alpacafarm", DefaultValueFactory = _ => "masked" };
    private readonly Option<double> _learningRate = new("--learning-rate") { Description = "Base learning rate.", HelpName = "LR", DefaultValueFactory = _ => 1e-5 };
    private readonly Option<double> _klCoefficient = new("--kl-coef") { Description = "Weight of the KL penalty, or where an adaptive one starts.", HelpName = "C", DefaultValueFactory = _ => 0.0067 };
    private readonly Option<bool> _adaptiveKl = new("--adaptive-kl") { Description = "Adapts the weight of the penalty to --target-kl." };
    private readonly Option<double> _targetKl = new("--target-kl") { Description = "Wanted KL of a sequence.", HelpName = "KL", DefaultValueFactory = _ => 6 };
    private readonly Option<double> _kBeta = new("--k-beta") { Description = "Gain of the adaptive penalty.", HelpName = "K", DefaultValueFactory = _ => 0.1 };
    private readonly Option<int> _updateEpochs = new("--noptepochs") { Description = "Passes over the responses of an outer step.", HelpName = "E", DefaultValueFactory = _ => 2 };
    private readonly Option<int> _responses = new("--responses-per-prompt") { Description = "Responses to each prompt of an outer step.", HelpName = "K", DefaultValueFactory = _ => 1 };
    private readonly Option<double> _gamma = new("--gamma") { Description = "Discount.", HelpName = "G", DefaultValueFactory = _ => 1 };
    private readonly Option<double> _lambda = new("--lam") { Description = "Lambda of generalised advantage estimation.", HelpName = "L", DefaultValueFactory = _ => 1 };
    private readonly Option<double> _clip = new("--cliprange") { Description = "Half width of the ratio's interval.", HelpName = "C", DefaultValueFactory = _ => 0.2 };
    private readonly Option<double> _valueClip = new("--cliprange-value") { Description = "Half width of the values' interval.", HelpName = "C", DefaultValueFactory = _ => 0.2 };
    private readonly Option<double> _valueCoefficient = new("--vf-coef") { Description = "Weight of the value loss.", HelpName = "C", DefaultValueFactory = _ => 0.1 };
    private readonly Option<bool?> _whiten = new("--whiten-rewards") { Description = "Whitens rewards before advantages; yes in alpacafarm and no in masked unless given.", HelpName = "true|false" };
    private readonly Option<double?> _eosPenalty = new("--missing-eos-penalty") { Description = "Taken off the reward of a response that does not end; 1 in masked and 0 in alpacafarm unless given.", HelpName = "P" };
    private readonly Option<string?> _truncateTokens = new("--truncate-tokens") { Description = "Tokens one of which a response must hold, with commas between them.", HelpName = "TOKENS" };
    private readonly Option<int?> _truncateAfter = new("--truncate-after") { Description = "Place the token must come after.", HelpName = "N" };
    private readonly Option<double> _penalty = new("--penalty-reward-value") { Description = "Reward of a response without such a token.", HelpName = "R", DefaultValueFactory = _ => -1 };
    private readonly Option<bool> _initValue = new("--init-value-with-reward") { Description = "Starts the value network from the reward model, else from the policy.", HelpName = "true|false", DefaultValueFactory = _ => true };
    private readonly Option<string?> _eval = new("--eval") { Description = "Instructions to evaluate on.", HelpName = "FILE" };
    private readonly Option<int?> _evalSteps = new("--eval-steps") { Description = "Outer steps between evaluations; the policy of the best mean reward is kept in OUTPUT/best.", HelpName = "N" };
    private readonly Option<double> _evalTemperature = new("--eval-temperature") { Description = "Temperature of evaluation samples.", HelpName = "T", DefaultValueFactory = _ => 0.7 };
    private readonly Option<double> _evalTopP = new("--eval-top-p") { Description = "Nucleus of evaluation samples.", HelpName = "P", DefaultValueFactory = _ => 0.9 };
    private readonly Option<bool?> _zeroFirst = new("--zero-first-lr") { Description = "AlpacaFarm's schedule, whose first step has learning rate 0; yes in alpacafarm unless given.", HelpName = "true|false" };
    private readonly Option<bool?> _clampedKl = new("--clamped-kl") { Description = "Clamps the KL of a token at zero; yes in alpacafarm unless given.", HelpName = "true|false" };
    private readonly Option<bool?> _textRewards = new("--text-rewards") { Description = "Rewards decoded text tokenised again; yes in alpacafarm unless given.", HelpName = "true|false" };
    private readonly Option<bool?> _saveFirst = new("--save-before-step") { Description = "Saves and evaluates before a step's update; yes in alpacafarm unless given.", HelpName = "true|false" };

    /// <inheritdoc/>
    protected override IEnumerable<Option> Own =>
    [
        _mode, _learningRate, _klCoefficient, _adaptiveKl, _targetKl, _kBeta, _updateEpochs, _responses, _gamma, _lambda, _clip, _valueClip, _valueCoefficient, _whiten, _eosPenalty, _truncateTokens,
        _truncateAfter, _penalty, _initValue, _eval, _evalSteps, _evalTemperature, _evalTopP, _zeroFirst, _clampedKl, _textRewards, _saveFirst,
    ];

    /// <summary>Texts of --truncate-tokens; their ids are the policy's tokenizer's to know.</summary>
    public IReadOnlyList<string> TruncateTokens(ParseResult result) => result.GetValue(_truncateTokens)?.Split(',', StringSplitOptions.RemoveEmptyEntries) ?? [];

    /// <summary>Reads and checks the flags.</summary>
    public (FeedbackSettings Settings, PpoOptions Options) Read(ParseResult result)
    {
        string? eval = result.GetValue(_eval);
        var settings = ReadShared(result, eval, result.GetValue(_initValue));
        if (result.GetValue(_evalSteps) is not null && eval is null)
        {
            throw new BadInputException("--eval-steps needs --eval.");
        }

        var mode = result.GetRequiredValue(_mode) switch
        {
            "masked" => PpoMode.Masked,
            "alpacafarm" => PpoMode.AlpacaFarm,
            var other => throw new BadInputException($"--mode must be masked or alpacafarm, not '{other}'."),
        };
        var quirks = PpoQuirks.Of(mode);
        var options = new PpoOptions
        {
            OutputFolder = settings.Output,
            Mode = mode,
            Quirks = quirks with
            {
                ZeroFirstLearningRate = result.GetValue(_zeroFirst) ?? quirks.ZeroFirstLearningRate,
                ClampedKl = result.GetValue(_clampedKl) ?? quirks.ClampedKl,
                TextRewards = result.GetValue(_textRewards) ?? quirks.TextRewards,
                SavesBeforeStep = result.GetValue(_saveFirst) ?? quirks.SavesBeforeStep,
            },
            RolloutBatchSize = result.GetValue(RolloutBatchSize),
            RolloutMicroBatch = result.GetValue(RolloutPerDevice),
            ResponsesPerPrompt = result.GetValue(_responses),
            StepBatchSize = result.GetValue(StepBatchSize),
            StepMicroBatch = result.GetValue(StepPerDevice),
            TotalEpochs = result.GetValue(TotalEpochs),
            MaxSteps = result.GetValue(MaxSteps),
            UpdateEpochs = result.GetValue(_updateEpochs),
            LearningRate = result.GetValue(_learningRate),
            WarmupSteps = result.GetValue(WarmupSteps),
            AdamW = AdamW(result),
            MaxGradNorm = result.GetValue(MaxGradNorm),
            KlCoefficient = result.GetValue(_klCoefficient),
            AdaptiveKl = result.GetValue(_adaptiveKl),
            TargetKl = result.GetValue(_targetKl),
            KBeta = result.GetValue(_kBeta),
            Gamma = result.GetValue(_gamma),
            GaeLambda = result.GetValue(_lambda),
            ClipRange = result.GetValue(_clip),
            ClipRangeValue = result.GetValue(_valueClip),
            ValueCoefficient = result.GetValue(_valueCoefficient),
            WhitenRewards = result.GetValue(_whiten),
            Temperature = result.GetValue(Temperature),
            QueryLength = result.GetValue(QueryLength),
            ResponseLength = result.GetValue(ResponseLength),
            MissingEosPenalty = result.GetValue(_eosPenalty),
            TruncateAfter = result.GetValue(_truncateAfter),
            PenaltyRewardValue = result.GetValue(_penalty),
            Seed = result.GetValue(Seed),
            EvalSteps = result.GetValue(_evalSteps),
            EvalTemperature = result.GetValue(_evalTemperature),
            EvalTopP = result.GetValue(_evalTopP),
            SaveSteps = result.GetValue(SaveSteps),
            SaveTotalLimit = result.GetValue(SaveTotalLimit),
            Resume = result.GetValue(Resume),
        };
        return (settings, options);
    }
}

/// <summary>The flags of <c>farm quark</c>.</summary>
internal sealed class QuarkFlags : FeedbackOptions
{
    private readonly Option<double> _learningRate = new("--learning-rate") { Description = "Base learning rate.", HelpName = "LR", DefaultValueFactory = _ => 3e-6 };
    private readonly Option<double> _klCoefficient = new("--kl-coef") { Description = "Weight of the exact KL to the reference.", HelpName = "C", DefaultValueFactory = _ => 0.05 };
    private readonly Option<double> _entropy = new("--entropy-coef") { Description = "Weight of the entropy.", HelpName = "C" };
    private readonly Option<int> _tokens = new("--num-reward-tokens") { Description = "Quantiles.", HelpName = "K", DefaultValueFactory = _ => 4 };
    private readonly Option<bool> _best = new("--train-on-best-quantile") { Description = "Trains on the best quantile alone, without reward tokens.", HelpName = "true|false", DefaultValueFactory = _ => true };
    private readonly Option<bool> _clear = new("--clear-data-pool-on-each-rollout") { Description = "Forgets older samples at each step.", HelpName = "true|false", DefaultValueFactory = _ => true };
    private readonly Option<int> _updates = new("--num-gradient-steps-per-step") { Description = "Updates of an outer step.", HelpName = "N", DefaultValueFactory = _ => 1 };

    /// <inheritdoc/>
    protected override IEnumerable<Option> Own => [_learningRate, _klCoefficient, _entropy, _tokens, _best, _clear, _updates];

    /// <summary>Reads and checks the flags.</summary>
    public (FeedbackSettings Settings, QuarkOptions Options) Read(ParseResult result)
    {
        var settings = ReadShared(result, eval: null, initValueWithReward: false);
        if (settings.Layout != PpoLayout.Full)
        {
            throw new BadInputException("--layout lora: Quark adds rows to the embedding, which adapters cannot train; use --layout full.");
        }

        return (settings, new QuarkOptions
        {
            OutputFolder = settings.Output,
            RolloutBatchSize = result.GetValue(RolloutBatchSize),
            RolloutMicroBatch = result.GetValue(RolloutPerDevice),
            StepBatchSize = result.GetValue(StepBatchSize),
            StepMicroBatch = result.GetValue(StepPerDevice),
            TotalEpochs = result.GetValue(TotalEpochs),
            MaxSteps = result.GetValue(MaxSteps),
            LearningRate = result.GetValue(_learningRate),
            WarmupSteps = result.GetValue(WarmupSteps),
            AdamW = AdamW(result),
            MaxGradNorm = result.GetValue(MaxGradNorm),
            KlCoefficient = result.GetValue(_klCoefficient),
            EntropyCoefficient = result.GetValue(_entropy),
            RewardTokens = result.GetValue(_tokens),
            BestQuantileOnly = result.GetValue(_best),
            ClearPool = result.GetValue(_clear),
            GradientSteps = result.GetValue(_updates),
            Temperature = result.GetValue(Temperature),
            QueryLength = result.GetValue(QueryLength),
            ResponseLength = result.GetValue(ResponseLength),
            Seed = result.GetValue(Seed),
            SaveSteps = result.GetValue(SaveSteps),
            SaveTotalLimit = result.GetValue(SaveTotalLimit),
            Resume = result.GetValue(Resume),
        });
    }
}
