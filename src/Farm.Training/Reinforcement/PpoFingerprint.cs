using System.Text.Json.Nodes;
using Farm.Training.Checkpoints;
using Farm.Training.Model;

namespace Farm.Training.Reinforcement;

/// <summary>Everything that decides the numbers of a PPO run, for checkpoints.</summary>
internal static class PpoFingerprint
{
    public static JsonObject Of(JsonObject given, PpoNetworks networks, PpoOptions o, int prompts, int totalSteps)
    {
        var (policy, value, q) = (networks.Policy, networks.Value, o.Departures);
        return RunFingerprint.With(
            given,
            ("method", "ppo"), ("mode", $"{o.Mode}"), ("quirks", $"{q.PaddedCells} {q.ClampedKl} {q.TextRewards} {q.ZeroFirstLearningRate} {q.SavesBeforeStep} {q.PartialStatistics}"), ("prompts", prompts),
            ("total_steps", totalSteps), ("rollout_batch_size", o.RolloutBatchSize), ("rollout_per_device_batch_size", o.RolloutMicroBatch), ("responses_per_prompt", o.ResponsesPerPrompt),
            ("step_batch_size", o.StepBatchSize), ("step_per_device_batch_size", o.StepMicroBatch), ("noptepochs", o.UpdateEpochs), ("learning_rate", o.LearningRate), ("warmup_steps", o.WarmupSteps),
            ("adam_beta1", o.AdamW.Beta1), ("adam_beta2", o.AdamW.Beta2), ("adam_epsilon", o.AdamW.Epsilon), ("weight_decay", o.AdamW.WeightDecay), ("max_grad_norm", o.MaxGradNorm),
            ("kl_coef", o.KlCoefficient), ("adaptive_kl", o.AdaptiveKl), ("target_kl", o.TargetKl), ("k_beta", o.KBeta), ("gamma", o.Gamma), ("lam", o.GaeLambda), ("cliprange", o.ClipRange),
            ("cliprange_value", o.ClipRangeValue), ("vf_coef", o.ValueCoefficient), ("whiten_rewards", o.WhitensRewards), ("temperature", o.Temperature), ("query_len", o.QueryLength),
            ("response_len", o.ResponseLength), ("missing_eos_penalty", o.EosPenalty), ("truncate_tokens", string.Join(',', o.TruncateTokens)), ("truncate_after", o.TruncateAfter ?? -1),
            ("penalty_reward_value", o.PenaltyRewardValue), ("seed", o.Seed), ("backend", policy.Backend.Name), ("policy", Shape(policy)), ("value", Shape(value)));
    }

    public static string Shape(TrainableLlama model) =>
        RunFingerprint.Shape(model.Config)
        + $" {model.Options.DType} lora {model.Options.Lora?.Rank ?? 0} {model.Options.Lora?.Alpha ?? 0} {string.Join(',', model.Options.Lora?.TargetModules ?? [])} seed {model.Options.Seed}";
}
