using Farm.Core;
using Farm.Training.Optimisation;

namespace Farm.Training.Reinforcement;

/// <summary>The settings of a PPO run, by default those of AlpacaFarm's script on simulated preferences.</summary>
public sealed record PpoOptions
{
    /// <summary>Folder of checkpoints, rollouts and the policy.</summary>
    public required string OutputFolder { get; init; }

    /// <summary>The definition.</summary>
    public PpoMode Mode { get; init; }

    /// <summary>Departures from <see cref="PpoMode.Masked"/>; those of the mode if null.</summary>
    public PpoQuirks? Quirks { get; init; }

    /// <summary>Responses of an outer step.</summary>
    public int RolloutBatchSize { get; init; } = 512;

    /// <summary>Prompts that are drawn, and responses that are sampled, at a time.</summary>
    public int RolloutMicroBatch { get; init; } = 32;

    /// <summary>Responses to each prompt of an outer step; they share the prompt's keys and values.</summary>
    public int ResponsesPerPrompt { get; init; } = 1;

    /// <summary>Responses of an update.</summary>
    public int StepBatchSize { get; init; } = 256;

    /// <summary>Responses whose memory a pass of an update is planned for.</summary>
    public int StepMicroBatch { get; init; } = 2;

    /// <summary>Passes over the prompts.</summary>
    public int TotalEpochs { get; init; } = 10;

    /// <summary>Outer steps after which the run ends, whatever <see cref="TotalEpochs"/> says; null for no such limit.</summary>
    public int? MaxSteps { get; init; }

    /// <summary>Passes over the responses of an outer step.</summary>
    public int UpdateEpochs { get; init; } = 2;

    /// <summary>Base learning rate.</summary>
    public double LearningRate { get; init; } = 1e-5;

    /// <summary>Outer steps of linear warm-up; then linear decay.</summary>
    public int WarmupSteps { get; init; } = 5;

    /// <summary>Constants of the optimiser.</summary>
    public AdamWOptions AdamW { get; init; } = new() { Epsilon = 1e-5 };

    /// <summary>Bound on the global gradient norm of policy and value together, 0 for none.</summary>
    public double MaxGradNorm { get; init; } = 1;

    /// <summary>KL penalty, or where an adaptive one starts.</summary>
    public double KlCoefficient { get; init; } = 0.0067;

    /// <summary>Adapts the coefficient to <see cref="TargetKl"/>.</summary>
    public bool AdaptiveKl { get; init; }

    /// <summary>Wanted KL of a sequence.</summary>
    public double TargetKl { get; init; } = 6;

    /// <summary>Gain of the adaptive controller.</summary>
    public double KBeta { get; init; } = 0.1;

    /// <summary>Discount.</summary>
    public double Gamma { get; init; } = 1;

    /// <summary>Lambda of generalised advantage estimation.</summary>
    public double GaeLambda { get; init; } = 1;

    /// <summary>Half width of the ratio's interval.</summary>
    public double ClipRange { get; init; } = 0.2;

    /// <summary>Half width of the values' interval.</summary>
    public double ClipRangeValue { get; init; } = 0.2;

    /// <summary>Weight of the value loss.</summary>
    public double ValueCoefficient { get; init; } = 0.1;

    /// <summary>Whitens rewards before advantages; null for what the mode does: yes in alpacafarm, no in masked.</summary>
    public bool? WhitenRewards { get; init; }

    /// <summary>Temperature of sampling and of all log-probabilities.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Most tokens of a prompt; longer ones are dropped.</summary>
    public int QueryLength { get; init; } = 192;

    /// <summary>Most tokens of a response.</summary>
    public int ResponseLength { get; init; } = 300;

    /// <summary>Taken off the reward of a response that does not end; null for what the mode does: 1 in masked, 0 in alpacafarm.</summary>
    public double? MissingEosPenalty { get; init; }

    /// <summary>Tokens one of which a response must hold; empty for none.</summary>
    public IReadOnlyList<int> TruncateTokens { get; init; } = [];

    /// <summary>The place the token must come after.</summary>
    public int? TruncateAfter { get; init; }

    /// <summary>Reward of a response without such a token.</summary>
    public double PenaltyRewardValue { get; init; } = -1;

    /// <summary>Seed of order and draws.</summary>
    public ulong Seed { get; init; } = 42;

    /// <summary>Outer steps between evaluations; null for none.</summary>
    public int? EvalSteps { get; init; }

    /// <summary>Temperature of evaluation samples.</summary>
    public double EvalTemperature { get; init; } = 0.7;

    /// <summary>Nucleus of evaluation samples.</summary>
    public double EvalTopP { get; init; } = 0.9;

    /// <summary>Outer steps between checkpoints and saved policies; null for none but when interrupted.</summary>
    public int? SaveSteps { get; init; }

    /// <summary>Checkpoints to keep, null for all.</summary>
    public int? SaveTotalLimit { get; init; } = 1;

    /// <summary>Goes on from the newest checkpoint, if there is one.</summary>
    public bool Resume { get; init; }

    /// <summary>The quirks in force.</summary>
    public PpoQuirks Departures => Quirks ?? PpoQuirks.Of(Mode);

    /// <summary>Whether rewards are whitened.</summary>
    public bool WhitensRewards => WhitenRewards ?? Mode == PpoMode.AlpacaFarm;

    /// <summary>The penalty in force.</summary>
    public double EosPenalty => MissingEosPenalty ?? (Mode == PpoMode.AlpacaFarm ? 0 : 1);

    /// <summary>Prompts of an outer step.</summary>
    public int PromptsPerStep => RolloutBatchSize / ResponsesPerPrompt;

    /// <summary>Checks the numbers.</summary>
    /// <param name="context">The context of the models.</param>
    /// <exception cref="BadInputException">One is out of range; the message names its flag.</exception>
    public void Validate(int context)
    {
        Require(RolloutBatchSize >= 1 && RolloutMicroBatch >= 1 && ResponsesPerPrompt >= 1 && StepBatchSize >= 1 && StepMicroBatch >= 1,
            "--rollout-batch-size, --rollout-per-device-batch-size, --responses-per-prompt, --step-batch-size and --step-per-device-batch-size must be at least 1");
        Require(RolloutBatchSize % ResponsesPerPrompt == 0, $"--responses-per-prompt {ResponsesPerPrompt} does not divide --rollout-batch-size {RolloutBatchSize}");
        Require(PromptsPerStep % DrawBatch == 0, $"--rollout-per-device-batch-size {RolloutMicroBatch} does not divide --rollout-batch-size {RolloutBatchSize}");
        Require(RolloutBatchSize % StepBatchSize == 0, $"--step-batch-size {StepBatchSize} does not divide --rollout-batch-size {RolloutBatchSize}");
        Require(StepBatchSize % StepMicroBatch == 0, $"--step-per-device-batch-size {StepMicroBatch} does not divide --step-batch-size {StepBatchSize}");
        Require(TotalEpochs >= 1 && UpdateEpochs >= 1, "--total-epochs and --noptepochs must be at least 1");
        Require(MaxSteps is null or >= 1, "--max-steps must be at least 1");
        Require(Finite(LearningRate) && LearningRate >= 0, "--learning-rate must be a number of at least 0");
        Require(WarmupSteps >= 0, "--warmup-steps must be at least 0");
        Require(Finite(MaxGradNorm) && MaxGradNorm >= 0, "--max-grad-norm must be at least 0");
        Require(Finite(KlCoefficient) && KlCoefficient >= 0, FormattableString.Invariant($"--kl-coef must be at least 0, not {KlCoefficient}"));
        Require(TargetKl > 0 && KBeta >= 0, "--target-kl must be over 0 and --k-beta at least 0");
        Require(Gamma is >= 0 and <= 1 && GaeLambda is >= 0 and <= 1, "--gamma and --lam must be from 0 to 1");
        Require(ClipRange is > 0 and < 1 && ClipRangeValue > 0, "--cliprange must be over 0 and below 1 and --cliprange-value over 0");
        Require(Finite(ValueCoefficient) && ValueCoefficient >= 0, "--vf-coef must be at least 0");
        Require(Finite(Temperature) && Temperature > 0, "--temperature must be over 0: rollouts are sampled");
        Require(EvalTemperature >= 0 && EvalTopP is > 0 and <= 1, "--eval-temperature must be at least 0 and --eval-top-p over 0 and at most 1");
        Require(QueryLength >= 1 && ResponseLength >= 1, "--query-len and --response-len must be at least 1");
        Require(ResponseLength < context, $"--response-len {ResponseLength} leaves no room for a prompt in the model's context of {context}");
        Require((long)QueryLength + ResponseLength <= context, $"--query-len {QueryLength} and --response-len {ResponseLength} together are more than the model's context of {context}");
        Require(Finite(EosPenalty), "--missing-eos-penalty must be a number");
        Require(EvalSteps is null or >= 1, "--eval-steps must be at least 1");
        Require(SaveSteps is null or >= 1, "--save-steps must be at least 1");
        Require(SaveTotalLimit is null or >= 1, "--save-total-limit must be at least 1");
        Require(!Departures.PaddedCells || !WhitensRewards || RolloutBatchSize >= 8, $"--rollout-batch-size {RolloutBatchSize}: AlpacaFarm's whitening needs at least 8 responses");
    }

    /// <summary>Prompts drawn at a time.</summary>
    internal int DrawBatch => Math.Min(RolloutMicroBatch, PromptsPerStep);

    private static bool Finite(double value) => double.IsFinite(value);

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new BadInputException(otherwise + ".");
        }
    }
}
