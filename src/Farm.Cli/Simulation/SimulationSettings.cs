using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Farm.Cli.Options;
using Farm.Core;

namespace Farm.Cli.Simulation;

/// <summary>The numbers of a simulation. They are part of its stages' stamps, so that a stage is only taken over from a run of the same numbers.</summary>
internal sealed record SimulationSettings
{
    private static readonly JsonSerializerOptions s_json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>Methods there are, in the order of the table.</summary>
    public static IReadOnlyList<string> AllMethods { get; } = ["ppo", "best-of-n", "expert-iteration", "dpo", "quark", "feedme", "reward-condition"];

    /// <summary>Seed of training and sampling; the world is that of seed 0.</summary>
    public ulong Seed { get; init; }

    /// <summary>Threads of the kernels.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Where models run; null for the CPU, whose stamps do not name it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DeviceChoice? Device { get; init; }

    /// <summary>Starts from the embedded fine-tuned model where this build has one.</summary>
    public bool EmbeddedPolicy { get; init; }

    /// <summary>Rows of fine-tuning from random weights; null for all.</summary>
    public int? SftRows { get; init; }

    /// <summary>Epochs of fine-tuning from random weights.</summary>
    public int SftEpochs { get; init; } = 9;

    /// <summary>Its learning rate.</summary>
    public double SftLearningRate { get; init; } = 4e-3;

    /// <summary>Rows of the preference split that are sampled on; null for all.</summary>
    public int? PreferenceRows { get; init; }

    /// <summary>Samples of each of them, of which pairs are made.</summary>
    public int PreferenceSamples { get; init; } = 4;

    /// <summary>Most pairs of each of them, as sampled: a frequent answer is compared often.</summary>
    public int PairsPerRow { get; init; } = 6;

    /// <summary>Share of labels that are turned round.</summary>
    public double Flip { get; init; } = 0.25;

    /// <summary>Epochs of reward models. One: a second pass learns the labels' noise.</summary>
    public int RewardEpochs { get; init; } = 1;

    /// <summary>Pairs of an update of reward models.</summary>
    public int RewardBatch { get; init; } = 64;

    /// <summary>Learning rate of reward models.</summary>
    public double RewardLearningRate { get; init; } = 5e-4;

    /// <summary>Most tokens of a response.</summary>
    public int ResponseLength { get; init; } = 64;

    /// <summary>Outer steps of PPO.</summary>
    public int PpoSteps { get; init; } = 60;

    /// <summary>Responses of a step of PPO.</summary>
    public int PpoRollouts { get; init; } = 256;

    /// <summary>Learning rate of PPO.</summary>
    public double PpoLearningRate { get; init; } = 2e-4;

    /// <summary>KL penalty of PPO.</summary>
    public double PpoKl { get; init; } = 0.02;

    /// <summary>Steps between looks at PPO's policy.</summary>
    public int PpoEvalSteps { get; init; } = 5;

    /// <summary>Rows of the val split that PPO's policies are looked at on.</summary>
    public int ValRows { get; init; } = 200;

    /// <summary>Rows of the eval split that methods are measured on.</summary>
    public int EvalRows { get; init; } = 200;

    /// <summary>Outer steps of Quark.</summary>
    public int QuarkSteps { get; init; } = 60;

    /// <summary>Learning rate of Quark.</summary>
    public double QuarkLearningRate { get; init; } = 2e-4;

    /// <summary>Samples of each unlabeled instruction in expert iteration. Few: the best of many by a reward model of noisy labels is over-optimised.</summary>
    public int ExpertSamples { get; init; } = 4;

    /// <summary>Rows of the unlabeled split in expert iteration; null for all.</summary>
    public int? ExpertRows { get; init; }

    /// <summary>Learning rate of fine-tuning that goes on.</summary>
    public double TuneLearningRate { get; init; } = 3e-4;

    /// <summary>Epochs of fine-tuning that goes on, in expert iteration.</summary>
    public int TuneEpochs { get; init; } = 2;

    /// <summary>Epochs over the preference pairs in FeedME and reward conditioning.</summary>
    public int FeedbackEpochs { get; init; } = 1;

    /// <summary>Learning rate of DPO.</summary>
    public double DpoLearningRate { get; init; } = 1e-4;

    /// <summary>DPO's beta.</summary>
    public double DpoBeta { get; init; } = 0.1;

    /// <summary>Samples of each eval instruction by the fine-tuned model, for best-of-n up to this n.</summary>
    public int MostSamples { get; init; } = 256;

    /// <summary>n of the table's best-of-n.</summary>
    public int BestOf { get; init; } = 16;

    /// <summary>Samples of each eval instruction by every other method.</summary>
    public int EvalSamples { get; init; } = 16;

    /// <summary>Kinds of preferences whose over-optimisation is followed: noisy, noiseless, single.</summary>
    public IReadOnlyList<string> Kinds { get; init; } = ["noisy", "noiseless", "single"];

    /// <summary>The full experiment.</summary>
    public static SimulationSettings Full(ulong seed, int threads) => new() { Seed = seed, Threads = threads };

    /// <summary>The experiment of a few minutes.</summary>
    public static SimulationSettings Quick(ulong seed, int threads) => new()
    {
        Seed = seed,
        Threads = threads,
        EmbeddedPolicy = true,
        SftRows = 12000,
        SftEpochs = 4,
        PreferenceRows = 8000,
        PpoSteps = 30,
        PpoRollouts = 128,
        ValRows = 100,
        QuarkSteps = 20,
        ExpertRows = 1600,
        MostSamples = 128,
        EvalSamples = 8,
        Kinds = ["noisy"],
    };

    /// <summary>The numbers as text, for stamps.</summary>
    public string Stamp() => JsonSerializer.Serialize(this with { Threads = 0 }, s_json);

    /// <summary>These settings with the numbers of a JSON object in place of their own; the names are those of <see cref="Stamp"/>.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="BadInputException">It is no such object, or has a field that the settings have not.</exception>
    public SimulationSettings With(string path)
    {
        string field = string.Empty;
        try
        {
            var own = JsonSerializer.SerializeToNode(this, s_json)!.AsObject();
            var given = JsonNode.Parse(File.ReadAllText(path)) as JsonObject ?? throw new BadInputException($"{path} holds no JSON object of settings.");
            foreach (var (name, value) in given)
            {
                field = name;
                if (!own.ContainsKey(name))
                {
                    throw new BadInputException($"{path}: a simulation has no setting '{name}'; it has {string.Join(", ", own.Select(p => p.Key))}.");
                }

                own[name] = value?.DeepClone();
                _ = own.Deserialize<SimulationSettings>(s_json);
            }

            return own.Deserialize<SimulationSettings>(s_json)!;
        }
        catch (JsonException e)
        {
            throw new BadInputException(field.Length == 0 ? $"{path} is no JSON: {e.Message}" : $"{path}: the setting '{field}' has a value of another kind.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{path} cannot be read: {e.Message}", e);
        }
    }
}
