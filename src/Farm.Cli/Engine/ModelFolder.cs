using System.Text.Json.Nodes;
using Farm.Cli.Output;
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
    public static ModelFolder OpenDecoder(string path) => Open(path);

    /// <summary>The tokenizer of a folder that must have one.</summary>
    public ITokenizer RequireTokenizer() =>
        Tokenizer ?? throw new BadInputException($"{FolderPath} has neither tokenizer.model nor tokenizer.json, so text cannot be tokenised; use --prompt-ids.");

    /// <summary>What tells this model's results from another's.</summary>
    public JsonObject Fingerprint() => Output.Fingerprint.OfModel(FolderPath);

    /// <summary>Loads the weights of a decoder.</summary>
    public LlamaModel LoadDecoder(IBackend backend, DType type)
    {
        using var checkpoint = Checkpoint.Open(FolderPath);
        return LlamaModel.Load(backend, checkpoint, Config, type);
    }

    /// <summary>Loads the weights of a reward model.</summary>
    public RewardModel LoadScorer(IBackend backend, DType type)
    {
        using var checkpoint = Checkpoint.Open(FolderPath);
        return RewardModel.Load(backend, checkpoint, Config, type);
    }

    private static ModelFolder Open(string path) => throw new NotSupportedException(path);
}
