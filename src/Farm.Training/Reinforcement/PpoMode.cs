namespace Farm.Training.Reinforcement;

/// <summary>The two definitions of PPO.</summary>
public enum PpoMode
{
    /// <summary>What the field knows to be right: means, whitening and advantages over response tokens only, signed KL, rewards of the sampled ids.</summary>
    Masked = 0,

    /// <summary>AlpacaFarm's original, step for step.</summary>
    AlpacaFarm = 1,
}

/// <summary>What AlpacaFarm's PPO does otherwise than the field, each by its name. All are on in <see cref="PpoMode.AlpacaFarm"/> and off in <see cref="PpoMode.Masked"/> unless asked otherwise.</summary>
public sealed record PpoQuirks
{
    /// <summary>Means, both whitenings and advantages run over every one of the B x L cells, padding included; values at padding are the head's bias, as with its flash attention.</summary>
    public bool PaddedCells { get; init; }

    /// <summary>The KL of a token is clamped at zero from below.</summary>
    public bool ClampedKl { get; init; }

    /// <summary>The reward model reads text, decoded without special tokens and tokenised again.</summary>
    public bool TextRewards { get; init; }

    /// <summary>The first outer step of a warmed-up run has learning rate zero.</summary>
    public bool ZeroFirstLearningRate { get; init; }

    /// <summary>Policies are saved, and evaluated, before their step's update.</summary>
    public bool SavesBeforeStep { get; init; }

    /// <summary>Update statistics are of the last micro-batch of each update alone, and the gradient norm is taken after clipping.</summary>
    public bool PartialStatistics { get; init; }

    /// <summary>The quirks of a mode.</summary>
    public static PpoQuirks Of(PpoMode mode)
    {
        bool on = mode == PpoMode.AlpacaFarm;
        return new PpoQuirks { PaddedCells = on, ClampedKl = on, TextRewards = on, ZeroFirstLearningRate = on, SavesBeforeStep = on, PartialStatistics = on };
    }
}
