using System.Text.Json.Nodes;
using Farm.Training.Checkpoints;
using Farm.Training.Model;
using Farm.Training.Reinforcement;

namespace Farm.Training.Methods;

/// <summary>Everything that decides the numbers of a Quark run, for checkpoints.</summary>
internal static class QuarkFingerprint
{
    public static JsonObject Of(JsonObject given, TrainableLlama policy, QuarkOptions o, int prompts, int totalSteps) => RunFingerprint.With(
        given,
        ("method", "quark"), ("prompts", prompts), ("total_steps", totalSteps), ("rollout_batch_size", o.RolloutBatchSize), ("rollout_per_device_batch_size", o.RolloutMicroBatch),
        ("step_batch_size", o.StepBatchSize), ("step_per_device_batch_size", o.StepMicroBatch), ("learning_rate", o.LearningRate), ("warmup_steps", o.WarmupSteps), ("adam_epsilon", o.AdamW.Epsilon),
        ("weight_decay", o.AdamW.WeightDecay), ("max_grad_norm", o.MaxGradNorm), ("kl_coef", o.KlCoefficient), ("entropy_coef", o.EntropyCoefficient), ("num_reward_tokens", o.RewardTokens),
        ("train_on_best_quantile", o.BestQuantileOnly), ("clear_data_pool_on_each_rollout", o.ClearPool), ("num_gradient_steps_per_step", o.GradientSteps), ("temperature", o.Temperature),
        ("query_len", o.QueryLength), ("response_len", o.ResponseLength), ("seed", o.Seed), ("backend", policy.Backend.Name), ("policy", PpoFingerprint.Shape(policy)));
}
