using System.CommandLine;
using Farm.Core;
using Farm.Training.Model;
using Farm.Training.Optimisation;
using Farm.Training.Reinforcement;

namespace Farm.Cli.Options;

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
        string output = FlagChecks.OutputFolder(result.GetRequiredValue(_output));
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

        var type = FlagChecks.TrainingType("--dtype", result.GetRequiredValue(_dtype));
        var (device, bf16Activations) = _device.Read(result);
        return new FeedbackSettings(
            result.GetRequiredValue(_policy), result.GetRequiredValue(_reward), result.GetRequiredValue(_input), eval, output, restart, layout, lora, type,
            result.GetValue(_saveDtype) is { } save ? FlagChecks.TrainingType("--save-dtype", save) : type, EngineOptions.CheckThreads(result.GetValue(_threads)), result.GetValue(_recompute),
            result.GetValue(_promptDictionary), FlagChecks.MaxInstances(result.GetValue(_maxInstances)),
            initValueWithReward, result.GetValue(_json))
        { Device = device, Bf16Activations = bf16Activations };
    }
}
