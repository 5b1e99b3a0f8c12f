using Farm.Core;
using Farm.Models.Configuration;
using Farm.Models.Prompts;
using Farm.Pocket.Data;
using Farm.Pocket.Judging;
using Farm.Pocket.Tokenizers;

namespace Farm.Pocket;

/// <summary>
/// A laboratory for learning from feedback: short English instructions about a closed toy world, demonstrations of mixed quality, a program
/// that knows what is right, and noisy judges. Everything is a function of the seed; nothing is downloaded.
/// </summary>
public sealed class PocketWorld
{
    private readonly ulong _seed;
    private readonly Lazy<IReadOnlyDictionary<string, Lazy<IReadOnlyList<PocketRow>>>> _splits;

    /// <summary>The world of a seed. Rows are made when they are first asked for.</summary>
    public PocketWorld(ulong seed)
    {
        _seed = seed;
        _splits = new(() => PocketSplits.Create(seed));
    }

    /// <summary>The world of seed 0, which the embedded models know.</summary>
    public static PocketWorld Default { get; } = new(0);

    /// <summary>Names of the splits: sft, preference, unlabeled, val, eval.</summary>
    public static IReadOnlyList<string> SplitNames { get; } = [.. PocketSplits.Sizes.Select(s => s.Name)];

    /// <summary>The most tokens of prompt and response together.</summary>
    public const int Context = 256;

    /// <summary>Entries of the tokenizer.</summary>
    public const int VocabularySize = 1280;

    /// <summary>The architecture of the pocket models: 1.4 million parameters.</summary>
    public static ModelConfig PolicyConfig { get; } = new()
    {
        VocabularySize = VocabularySize,
        HiddenSize = 128,
        IntermediateSize = 512,
        Layers = 5,
        AttentionHeads = 4,
        KeyValueHeads = 2,
        HeadDim = 32,
        MaxPositionEmbeddings = Context,
        TieWordEmbeddings = true,
        PadId = 0,
        BosId = 1,
        EosIds = [2],
        TorchDType = DType.BF16,
    };

    /// <summary>
    /// The rows of a split; no instruction with its input is in two. Outputs of eval are right, those of the other splits are of mixed
    /// quality (<see cref="DemonstrationMix"/>).
    /// </summary>
    /// <exception cref="BadInputException">There is no such split.</exception>
    public IReadOnlyList<PocketRow> Split(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return _splits.Value.TryGetValue(name, out var rows)
            ? rows.Value
            : throw new BadInputException($"The pocket world has no split '{name}'; it has {string.Join(", ", SplitNames)}.");
    }

    /// <summary>Preferences over pairs of demonstrations of the preference split, by the pool of simulated judges of the same seed.</summary>
    public IReadOnlyList<PocketPreference> Preferences(double flipProbability = 0.25) =>
        PocketPreferences.FromDemonstrations(Split("preference"), new JudgePool(_seed, flipProbability), seed: _seed);

    /// <summary>
    /// Writes AlpacaFarm's files: alpaca_instructions/{sft,preference,unlabeled,val}.json, alpaca_farm_evaluation.json, and the pool's
    /// preferences as alpaca_noisy_multi_preference.json.
    /// </summary>
    /// <param name="folder">The folder, made if need be.</param>
    /// <returns>Each file, relative to the folder, and its rows.</returns>
    /// <exception cref="BadInputException">A file cannot be written.</exception>
    public IReadOnlyList<(string File, int Rows)> Export(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var files = new List<(string, int)>();
        foreach (string name in SplitNames.Where(n => n != "eval"))
        {
            string file = $"alpaca_instructions/{name}.json";
            AlpacaFiles.Write(Path.Combine(folder, file), Split(name));
            files.Add((file, Split(name).Count));
        }

        AlpacaFiles.WriteEvaluation(Path.Combine(folder, "alpaca_farm_evaluation.json"), Split("eval"));
        files.Add(("alpaca_farm_evaluation.json", Split("eval").Count));
        var preferences = Preferences();
        AlpacaFiles.Write(Path.Combine(folder, "alpaca_noisy_multi_preference.json"), preferences);
        files.Add(("alpaca_noisy_multi_preference.json", preferences.Count));
        return files;
    }

    /// <summary>
    /// Trains the tokenizer on the splits that models learn from (all but val and eval). The fixed parts of AlpacaFarm's prompt templates are
    /// one token each: they are two thirds of a pocket prompt's words and say nothing.
    /// </summary>
    public BpeVocabulary TrainTokenizer() => BpeTrainer.Train(
        SplitNames.Where(n => n is not ("val" or "eval")).SelectMany(Split).SelectMany(r => new[] { r.Instruction, r.Input, r.Output }), VocabularySize, PromptFrames());

    private static string[] PromptFrames() =>
        [.. new[] { PromptDictionary.Default.Format("\u0001", null), PromptDictionary.Default.Format("\u0001", "\u0001") }.SelectMany(p => p.Split('\u0001')).Distinct(StringComparer.Ordinal)];

    /// <summary>Writes tokenizer.json and tokenizer_config.json into a model folder.</summary>
    /// <exception cref="BadInputException">The files cannot be written.</exception>
    public void WriteTokenizer(string folder) => TrainTokenizer().Save(folder, Context);
}
