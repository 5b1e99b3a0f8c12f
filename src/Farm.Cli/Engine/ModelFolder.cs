using System.Text.Json.Nodes;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;
using Farm.Models.Llama;
using Farm.Models.Tokenizers;

namespace Farm.Cli.Engine;

/// <summary>A model folder whose configuration and tokenizer are read; its weights are loaded when all other input is known to be good.</summary>
internal sealed class ModelFolder
{
    private ModelFolder(string path, ModelConfig config, ITokenizer? tokenizer)
    {
        FolderPath = path;
        Config = config;
        Tokenizer = tokenizer;
    }

    /// <summary>The folder, as the user gave it.</summary>
    public string FolderPath { get; }

    /// <summary>The model's shape; of a reward model, that of its backbone.</summary>
    public ModelConfig Config { get; }

    /// <summary>The tokenizer, null where the folder has none.</summary>
    public ITokenizer? Tokenizer { get; }

    /// <summary>Opens a decoder's folder.</summary>
    /// <exception cref="BadInputException">The configuration or the tokenizer cannot be used, or they do not go together.</exception>
    public static ModelFolder OpenDecoder(string path) => WithTokenizer(path, ModelConfig.Load(path));

    /// <summary>Opens a decoder's folder without its tokenizer, for work on token ids alone.</summary>
    /// <exception cref="BadInputException">The configuration cannot be used.</exception>
    public static ModelFolder OpenShape(string path) => new(path, ModelConfig.Load(path), tokenizer: null);

    /// <summary>Opens a reward model's folder.</summary>
    /// <exception cref="BadInputException">It is not one, or as for <see cref="OpenDecoder"/>.</exception>
    public static ModelFolder OpenScorer(string path)
    {
        var config = RewardModelConfig.TryLoad(path)
            ?? throw new BadInputException($"{path} is not a reward model: its config.json has no model_type reward_model.");
        return WithTokenizer(path, config.Backbone);
    }

    /// <summary>The tokenizer of a folder that must have one.</summary>
    public ITokenizer RequireTokenizer() =>
        Tokenizer ?? throw new BadInputException($"{FolderPath} has neither tokenizer.model nor tokenizer.json, so text cannot be tokenised; use --prompt-ids.");

    /// <summary>What tells this model's results from another's.</summary>
    public JsonObject Fingerprint() => Output.Fingerprint.OfModel(FolderPath);

    /// <summary>Loads the weights of a decoder.</summary>
    public LlamaModel LoadDecoder(IBackend backend, DType type)
    {
        RequireMemory(backend, WeightBytes(type, languageHead: true));
        using var checkpoint = Checkpoint.Open(FolderPath);
        return LlamaModel.Load(backend, checkpoint, Config, type);
    }

    /// <summary>Loads the weights of a reward model.</summary>
    public RewardModel LoadScorer(IBackend backend, DType type)
    {
        RequireMemory(backend, WeightBytes(type, languageHead: false));
        using var checkpoint = Checkpoint.Open(FolderPath);
        return RewardModel.Load(backend, checkpoint, Config, type);
    }

    /// <summary>Refuses a policy and a reward model whose weights together are more than a device holds, before either is read.</summary>
    /// <exception cref="BadInputException">They are.</exception>
    public static void RequireMemory(IBackend backend, ModelFolder policy, ModelFolder reward, DType type) =>
        RequireMemory(backend, policy.WeightBytes(type, languageHead: true) + reward.WeightBytes(type, languageHead: false));

    private static void RequireMemory(IBackend backend, long weights)
    {
        if (backend is IMemoryLimits)
        {
            Backends.RequireMemory(backend, weights, scratch: 0, "its weights alone do not fit. Use smaller ones (--dtype int8), or stop what else runs on the GPU");
        }
    }

    private long WeightBytes(DType type, bool languageHead) => MemoryPlan.WeightBytes(Config, type, languageHead);

    private static ModelFolder WithTokenizer(string path, ModelConfig config)
    {
        if (!File.Exists(Path.Combine(path, "tokenizer.model")) && !File.Exists(Path.Combine(path, "tokenizer.json")))
        {
            return new ModelFolder(path, config, tokenizer: null);
        }

        var tokenizer = TokenizerLoader.Load(path);
        TokenizerCheck.Fits(tokenizer, config.VocabularySize, path);
        return new ModelFolder(path, config, tokenizer);
    }
}
