using Farm.Core;
using Farm.Training.Optimisation;

namespace Farm.Training.Methods;

/// <summary>The settings of a Quark run, by default those of AlpacaFarm's script.</summary>
public sealed record QuarkOptions
{
    /// <summary>Folder of checkpoints.</summary>
    public required string OutputFolder { get; init; }

    /// <summary>Responses of an outer step.</summary>
    public int RolloutBatchSize { get; init; } = 512;

    /// <summary>Responses sampled at a time.</summary>
    public int RolloutMicroBatch { get; init; } = 32;

    /// <summary>Samples of an update.</summary>
    public int StepBatchSize { get; init; } = 256;

    /// <summary>Samples whose memory a pass is planned for.</summary>
    public int StepMicroBatch { get; init; } = 2;

    /// <summary>Passes over the prompts.</summary>
    public int TotalEpochs { get; init; } = 10;

    /// <summary>Outer steps after which the run ends; null for no such limit.</summary>
    public int? MaxSteps { get; init; }

    /// <summary>Base learning rate.</summary>
    public double LearningRate { get; init; } = 3e-6;

    /// <summary>Outer steps of linear warm-up; then linear decay.</summary>
    public int WarmupSteps { get; init; } = 5;

    /// <summary>Constants of the optimiser.</summary>
    public AdamWOptions AdamW { get; init; } = new() { Epsilon = 1e-5 };

    /// <summary>Bound on the global gradient norm, 0 for none.</summary>
    public double MaxGradNorm { get; init; } = 1;

    /// <summary>Weight of the exact KL to the reference.</summary>
    public double KlCoefficient { get; init; } = 0.05;

    /// <summary>Weight of the entropy.</summary>
    public double EntropyCoefficient { get; init; }

    /// <summary>Quantiles.</summary>
    public int RewardTokens { get; init; } = 4;

    /// <summary>Trains on the best quantile alone, without reward tokens.</summary>
    public bool BestQuantileOnly { get; init; } = true;

    /// <summary>Forgets older samples at each step.</summary>
    public bool ClearPool { get; init; } = true;

    /// <summary>Updates of an outer step.</summary>
    public int GradientSteps { get; init; } = 1;

    /// <summary>Temperature.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Most tokens of a prompt; longer ones are dropped.</summary>
    public int QueryLength { get; init; } = 192;

    /// <summary>Most tokens of a response.</summary>
    public int ResponseLength { get; init; } = 300;

    /// <summary>Seed of order and draws.</summary>
    public ulong Seed { get; init; } = 42;

    /// <summary>Outer steps between checkpoints; null for none but when interrupted.</summary>
    public int? SaveSteps { get; init; }

    /// <summary>Checkpoints to keep, null for all.</summary>
    public int? SaveTotalLimit { get; init; } = 1;

    /// <summary>Goes on from the newest checkpoint, if there is one.</summary>
    public bool Resume { get; init; }

    /// <summary>Texts of the reward tokens, the best first.</summary>
    public IReadOnlyList<string> Tokens => [.. Enumerable.Range(0, RewardTokens).Select(i => $"<reward_{i}>")];

    /// <summary>Checks the numbers.</summary>
    /// <exception cref="BadInputException">One is out of range; the message names its flag.</exception>
    public void Validate(int context)
    {
        Require(RolloutBatchSize >= 1 && RolloutMicroBatch >= 1 && StepBatchSize >= 1 && StepMicroBatch >= 1,
            "--rollout-batch-size, --rollout-per-device-batch-size, --step-batch-size and --step-per-device-batch-size must be at least 1");
        Require(RolloutBatchSize % Math.Min(RolloutMicroBatch, RolloutBatchSize) == 0, $"--rollout-per-device-batch-size {RolloutMicroBatch} does not divide --rollout-batch-size {RolloutBatchSize}");
        Require(StepBatchSize % StepMicroBatch == 0, $"--step-per-device-batch-size {StepMicroBatch} does not divide --step-batch-size {StepBatchSize}");
        Require(TotalEpochs >= 1 && GradientSteps >= 1, "--total-epochs and --num-gradient-steps-per-step must be at least 1");
        Require(MaxSteps is null or >= 1, "--max-steps must be at least 1");
        Require(double.IsFinite(LearningRate) && LearningRate >= 0, "--learning-rate must be a number of at least 0");
        Require(WarmupSteps >= 0, "--warmup-steps must be at least 0");
        Require(double.IsFinite(MaxGradNorm) && MaxGradNorm >= 0, "--max-grad-norm must be at least 0");
        Require(double.IsFinite(KlCoefficient) && KlCoefficient >= 0, FormattableString.Invariant($"--kl-coef must be at least 0, not {KlCoefficient}"));
        Require(double.IsFinite(EntropyCoefficient) && EntropyCoefficient >= 0, "--entropy-coef must be at least 0");
        Require(RewardTokens > 1, $"--num-reward-tokens must be over 1, not {RewardTokens}");
        Require(double.IsFinite(Temperature) && Temperature > 0, "--temperature must be over 0: rollouts are sampled");
        Require(QueryLength >= 1 && ResponseLength >= 1 && (long)QueryLength + 1 + ResponseLength <= context,
            $"--query-len {QueryLength} with a reward token and --response-len {ResponseLength} together are more than the model's context of {context}");
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
