using System.CommandLine;
using Farm.Core;
using Farm.Training;
using Farm.Training.Model;
using Farm.Training.Optimisation;

namespace Farm.Cli.Options;

/// <summary>The flags that <c>farm sft</c> and <c>farm reward</c> share, named as Hugging Face's trainer names them.</summary>
internal sealed class TrainingOptions
{
    private readonly Option<string> _model = new("--model") { Description = "Folder of the model to start from.", HelpName = "DIR", Required = true };
    private readonly Option<string> _train = new("--train") { Description = "Rows to train on: a JSON or JSON Lines file.", HelpName = "FILE", Required = true };
    private readonly Option<string?> _eval = new("--eval") { Description = "Rows to evaluate on.", HelpName = "FILE" };
    private readonly Option<string> _output = new("--output") { Description = "Folder for the model, its metrics and checkpoints.", HelpName = "DIR", Required = true };
    private readonly bool _hasTrain;
    private readonly Option<double> _learningRate;
    private readonly Option<int> _epochs;
    private readonly Option<int?> _maxSteps = new("--max-steps") { Description = "Ends after so many updates, instead of by epochs.", HelpName = "N" };
    private readonly Option<int> _batch = new("--per-device-train-batch-size") { Description = "Examples of a micro-batch.", HelpName = "B", DefaultValueFactory = _ => 1 };
    private readonly Option<int> _accumulation;
    private readonly Option<double> _warmupRatio = new("--warmup-ratio") { Description = "Share of the updates that warm up.", HelpName = "R", DefaultValueFactory = _ => 0.03 };
    private readonly Option<int?> _warmupSteps = new("--warmup-steps") { Description = "Updates that warm up, instead of a share.", HelpName = "N" };
    private readonly Option<string> _schedule = new("--lr-scheduler-type") { Description = "Decay after warm-up.", HelpName = "cosine|linear|constant", DefaultValueFactory = _ => "cosine" };
    private readonly Option<double> _weightDecay = new("--weight-decay") { Description = "Decoupled decay of matrices.", HelpName = "D" };
    private readonly Option<double> _beta1 = new("--adam-beta1") { Description = "Decay of the first moment.", HelpName = "B", DefaultValueFactory = _ => 0.9 };
    private readonly Option<double> _beta2 = new("--adam-beta2") { Description = "Decay of the second moment.", HelpName = "B", DefaultValueFactory = _ => 0.999 };
    private readonly Option<double> _epsilon = new("--adam-epsilon") { Description = "Added to the root of the second moment.", HelpName = "E", DefaultValueFactory = _ => 1e-8 };
    private readonly Option<double> _maxGradNorm = new("--max-grad-norm") { Description = "Bound on the global gradient norm; 0 for none.", HelpName = "C", DefaultValueFactory = _ => 1 };
    private readonly Option<string> _normalization = new("--normalization") { Description = "Averages losses over examples, each its own token mean, as AlpacaFarm does; or over all tokens.", HelpName = "example|token", DefaultValueFactory = _ => "example" };
    private readonly Option<int> _maxLength = new("--model-max-length") { Description = "Most tokens of a sequence; the rest is cut off.", HelpName = "T", DefaultValueFactory = _ => 512 };
    private readonly Option<ulong> _seed = new("--seed") { Description = "Seed of order, initial heads and dropout.", HelpName = "S", DefaultValueFactory = _ => 42 };
    private readonly Option<int> _logging = new("--logging-steps") { Description = "Updates between lines of metrics.", HelpName = "N", DefaultValueFactory = _ => 10 };
    private readonly Option<int?> _evalSteps = new("--eval-steps") { Description = "Updates between evaluations; one at the end unless given.", HelpName = "N" };
    private readonly Option<int?> _saveSteps = new("--save-steps") { Description = "Updates between checkpoints; none unless given, or when interrupted.", HelpName = "N" };
    private readonly Option<int?> _saveLimit = new("--save-total-limit") { Description = "Checkpoints to keep.", HelpName = "K" };
    private readonly Option<bool> _resume = new("--resume") { Description = "Goes on from the newest checkpoint, to the same bits as an uninterrupted run." };
    private readonly Option<bool> _restart = new("--restart") { Description = "Throws the checkpoints of an unfinished run away and begins again." };
    private readonly Option<bool> _recompute = new("--recompute") { Description = "Keeps only the inputs of layers and computes the rest again: less memory, about a third more work." };
    private readonly Option<int?> _loraRank = new("--lora-rank") { Description = "Trains low-rank adapters of this rank instead of the weights.", HelpName = "R" };
    private readonly Option<double> _loraAlpha = new("--lora-alpha") { Description = "Scale of adapters: alpha / rank.", HelpName = "A", DefaultValueFactory = _ => 16 };
    private readonly Option<double> _loraDropout = new("--lora-dropout") { Description = "Dropout of adapters' inputs.", HelpName = "P" };
    private readonly Option<string> _loraTargets = new("--lora-target-modules") { Description = "Modules with adapters, with commas between them, or all-linear.", HelpName = "NAMES", DefaultValueFactory = _ => "q_proj,v_proj" };
    private readonly Option<string> _dtype = new("--dtype") { Description = "f32; or bf16: products read bf16 copies of f32 weights.", HelpName = "f32|bf16", DefaultValueFactory = _ => "f32" };
    private readonly Option<string?> _saveDtype = new("--save-dtype") { Description = "How the trained weights are stored; as --dtype unless given.", HelpName = "f32|bf16" };
    private readonly Option<int> _threads = new("--threads") { Description = "Threads of the kernels.", HelpName = "T", DefaultValueFactory = _ => Environment.ProcessorCount };
    private readonly TrainingDeviceOptions _device = new();
    private readonly Option<string?> _promptDictionary = new("--prompt-dict") { Description = "JSON file with the templates prompt_inputs and prompt_noinputs; AlpacaFarm's v0 templates unless given.", HelpName = "FILE" };
    private readonly Option<int?> _maxInstances = new("--max-instances") { Description = "Takes only the first K rows.", HelpName = "K" };
    private readonly Option<bool> _json = new("--json") { Description = "Prints what was done as JSON." };

    /// <summary>Flags with the defaults of one of AlpacaFarm's runs.</summary>
    /// <param name="learningRate">Learning rate.</param>
    /// <param name="epochs">Passes over the rows.</param>
    /// <param name="accumulation">Micro-batches of an update.</param>
    /// <param name="hasTrain">False where rows come from elsewhere than --train.</param>
    public TrainingOptions(double learningRate, int epochs, int accumulation, bool hasTrain = true)
    {
        _hasTrain = hasTrain;
        _train.Required = hasTrain;
        _learningRate = new("--learning-rate") { Description = "Base learning rate.", HelpName = "LR", DefaultValueFactory = _ => learningRate };
        _epochs = new("--num-train-epochs") { Description = "Passes over the rows.", HelpName = "E", DefaultValueFactory = _ => epochs };
        _accumulation = new("--gradient-accumulation-steps") { Description = "Micro-batches of an update.", HelpName = "A", DefaultValueFactory = _ => accumulation };
    }

    /// <summary>Adds the flags to a verb.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in new Option[]
        {
            _model, _train, _eval, _output, _learningRate, _epochs, _maxSteps, _batch, _accumulation, _warmupRatio, _warmupSteps, _schedule, _weightDecay, _beta1, _beta2, _epsilon,
            _maxGradNorm, _normalization, _maxLength, _seed, _logging, _evalSteps, _saveSteps, _saveLimit, _resume, _restart, _recompute, _loraRank, _loraAlpha, _loraDropout,
            _loraTargets, _dtype, _saveDtype, _threads, _promptDictionary, _maxInstances, _json,
        })
        {
            if (_hasTrain || option != _train)
            {
                command.Options.Add(option);
            }
        }

        _device.AddTo(command);
    }

    /// <summary>Reads and checks the flags.</summary>
    public TrainingSettings Read(ParseResult result)
    {
        var type = FlagChecks.TrainingType("--dtype", result.GetRequiredValue(_dtype));
        int maxLength = result.GetValue(_maxLength);
        string output = FlagChecks.OutputFolder(result.GetRequiredValue(_output));
        if (maxLength < 2)
        {
            throw new BadInputException($"--model-max-length must be at least 2, not {maxLength}.");
        }

        var trainer = new TrainerOptions
        {
            OutputFolder = output,
            Epochs = result.GetValue(_epochs),
            MaxSteps = result.GetValue(_maxSteps),
            MicroBatch = result.GetValue(_batch),
            Accumulation = result.GetValue(_accumulation),
            LearningRate = result.GetValue(_learningRate),
            Schedule = LearningRateSchedule.Parse(result.GetRequiredValue(_schedule)),
            WarmupRatio = result.GetValue(_warmupRatio),
            WarmupSteps = result.GetValue(_warmupSteps),
            AdamW = new AdamWOptions
            {
                Beta1 = result.GetValue(_beta1),
                Beta2 = result.GetValue(_beta2),
                Epsilon = result.GetValue(_epsilon),
                WeightDecay = result.GetValue(_weightDecay),
            },
            MaxGradNorm = result.GetValue(_maxGradNorm),
            Normalization = result.GetRequiredValue(_normalization) switch
            {
                "example" => LossNormalization.Example,
                "token" => LossNormalization.Token,
                var other => throw new BadInputException($"--normalization must be example or token, not '{other}'."),
            },
            Seed = result.GetValue(_seed),
            LoggingSteps = result.GetValue(_logging),
            EvalSteps = result.GetValue(_evalSteps),
            SaveSteps = result.GetValue(_saveSteps),
            SaveTotalLimit = result.GetValue(_saveLimit),
            Resume = result.GetValue(_resume),
        };
        trainer.Validate();
        var (device, bf16Activations) = _device.Read(result);
        return new TrainingSettings(
            result.GetRequiredValue(_model), _hasTrain ? result.GetRequiredValue(_train) : string.Empty, result.GetValue(_eval), trainer, maxLength, result.GetValue(_restart), result.GetValue(_recompute),
            Lora(result), type, result.GetValue(_saveDtype) is { } save ? FlagChecks.TrainingType("--save-dtype", save) : type, EngineOptions.CheckThreads(result.GetValue(_threads)), device, bf16Activations,
            result.GetValue(_promptDictionary),
            FlagChecks.MaxInstances(result.GetValue(_maxInstances)),
            result.GetValue(_json));
    }

    private LoraOptions? Lora(ParseResult result)
    {
        if (result.GetValue(_loraRank) is not { } rank)
        {
            return null;
        }

        var lora = new LoraOptions
        {
            Rank = rank,
            Alpha = result.GetValue(_loraAlpha),
            Dropout = result.GetValue(_loraDropout),
            TargetModules = result.GetRequiredValue(_loraTargets).Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
        };
        lora.Validate();
        return lora;
    }
}
