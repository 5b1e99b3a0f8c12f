using Farm.Core;

namespace Farm.Training.Model;

/// <summary>What stands on the decoder.</summary>
public enum ModelHead
{
    /// <summary>The language head: next-token cross-entropy.</summary>
    Language = 0,

    /// <summary>AlpacaFarm's reward head: a linear H to 1 on the last token's hidden state. The language head is not loaded.</summary>
    Reward = 1,
}

/// <summary>How a model is loaded for training.</summary>
public sealed record TrainableLlamaOptions
{
    /// <summary>F32; or BF16: F32 masters with BF16 copies of the matrices in products.</summary>
    public DType DType { get; init; } = DType.F32;

    /// <summary>The head.</summary>
    public ModelHead Head { get; init; }

    /// <summary>Rows the embeddings are to have, the configuration's if null. Added rows start as the mean of the old ones.</summary>
    public int? VocabularySize { get; init; }

    /// <summary>Trains adapters instead of the decoder's weights.</summary>
    public LoraOptions? Lora { get; init; }

    /// <summary>Keeps only the inputs of layers and computes the rest again in the backward.</summary>
    public bool Recompute { get; init; }

    /// <summary>Seed of what is drawn: a reward head, adapters, dropout.</summary>
    public ulong Seed { get; init; }

    /// <summary>No gradients: for references, which are only run.</summary>
    public bool Frozen { get; init; }

    /// <summary>Starts a reward head at zero, as a value head starts.</summary>
    public bool ZeroHead { get; init; }

    /// <summary>Reads the decoder from a reward model's checkpoint, whose head is left alone.</summary>
    public bool FromReward { get; init; }

    /// <summary>Longest sequence; the configuration's if null.</summary>
    public int? MaxPositions { get; init; }
}
