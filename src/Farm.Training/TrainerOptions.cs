using Farm.Core;
using Farm.Training.Optimisation;

namespace Farm.Training;

/// <summary>How the losses of an update are averaged.</summary>
public enum LossNormalization
{
    /// <summary>AlpacaFarm's: the unweighted mean over examples of each example's own token mean.</summary>
    Example = 0,

    /// <summary>The mean over all tokens of the update.</summary>
    Token = 1,
}

/// <summary>The settings of a run, by default those of AlpacaFarm's supervised fine-tuning.</summary>
public sealed record TrainerOptions
{
    /// <summary>Folder of checkpoints.</summary>
    public required string OutputFolder { get; init; }

    /// <summary>Passes over the data.</summary>
    public int Epochs { get; init; } = 3;

    /// <summary>Updates after which the run ends, whatever <see cref="Epochs"/> says; null for no such limit.</summary>
    public int? MaxSteps { get; init; }

    /// <summary>Examples of a micro-batch; the memory of a pass is that of this many of the longest.</summary>
    public int MicroBatch { get; init; } = 1;

    /// <summary>Micro-batches of an update.</summary>
    public int Accumulation { get; init; } = 16;

    /// <summary>Base learning rate.</summary>
    public double LearningRate { get; init; } = 2e-5;

    /// <summary>Decay.</summary>
    public ScheduleKind Schedule { get; init; } = ScheduleKind.Cosine;

    /// <summary>Share of the updates that warm up.</summary>
    public double WarmupRatio { get; init; } = 0.03;

    /// <summary>Updates that warm up; null for <see cref="WarmupRatio"/>.</summary>
    public int? WarmupSteps { get; init; }

    /// <summary>Constants of the optimiser.</summary>
    public AdamWOptions AdamW { get; init; } = new();

    /// <summary>Bound on the global gradient norm, 0 for none.</summary>
    public double MaxGradNorm { get; init; } = 1;

    /// <summary>Averaging.</summary>
    public LossNormalization Normalization { get; init; }

    /// <summary>Seed of the order of examples.</summary>
    public ulong Seed { get; init; } = 42;

    /// <summary>Updates between lines of metrics.</summary>
    public int LoggingSteps { get; init; } = 10;

    /// <summary>Updates between evaluations; null for one at the end.</summary>
    public int? EvalSteps { get; init; }

    /// <summary>Updates between checkpoints; null for none but when interrupted.</summary>
    public int? SaveSteps { get; init; }

    /// <summary>Checkpoints to keep, null for all.</summary>
    public int? SaveTotalLimit { get; init; }

    /// <summary>Goes on from the newest checkpoint, if there is one.</summary>
    public bool Resume { get; init; }

    /// <summary>Checks the numbers.</summary>
    /// <exception cref="BadInputException">One is out of range; the message names its flag.</exception>
    public void Validate()
    {
        Require(Epochs >= 1, "--num-train-epochs must be at least 1");
        Require(MaxSteps is null or >= 1, "--max-steps must be at least 1");
        Require(double.IsFinite(LearningRate) && LearningRate >= 0, "--learning-rate must be a number of at least 0");
        Require(WarmupRatio is >= 0 and <= 1, "--warmup-ratio must be from 0 to 1");
        Require(WarmupSteps is null or >= 0, "--warmup-steps must be at least 0");
        Require(double.IsFinite(MaxGradNorm) && MaxGradNorm >= 0, "--max-grad-norm must be at least 0");
        Require(AdamW.WeightDecay >= 0 && double.IsFinite(AdamW.WeightDecay), "--weight-decay must be at least 0");
        Require(AdamW.Beta1 is >= 0 and < 1 && AdamW.Beta2 is >= 0 and < 1, "--adam-beta1 and --adam-beta2 must be at least 0 and below 1");
        Require(AdamW.Epsilon > 0, "--adam-epsilon must be over 0");
        Require(LoggingSteps >= 1, "--logging-steps must be at least 1");
        Require(EvalSteps is null or >= 1, "--eval-steps must be at least 1");
        Require(SaveSteps is null or >= 1, "--save-steps must be at least 1");
        Require(SaveTotalLimit is null or >= 1, "--save-total-limit must be at least 1");
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new BadInputException(otherwise + ".");
        }
    }
}
