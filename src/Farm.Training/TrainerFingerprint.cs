using System.Text.Json.Nodes;
using Farm.Core;
using Farm.Training.Checkpoints;
using Farm.Training.Model;
using Farm.Training.Tasks;

namespace Farm.Training;

/// <summary>Everything that decides the numbers of a <see cref="Trainer"/>'s run, for checkpoints.</summary>
internal static class TrainerFingerprint
{
    public static JsonObject Of(JsonObject given, TrainableLlama model, TrainingTask task, TrainerOptions o, int examples, int totalSteps, int warmupSteps, int passRows)
    {
        var m = model.Options;
        return RunFingerprint.With(
            given,
            ("objective", task.Name), ("train_examples", examples), ("total_steps", totalSteps), ("per_device_train_batch_size", o.MicroBatch),
            ("gradient_accumulation_steps", o.Accumulation), ("learning_rate", o.LearningRate), ("lr_scheduler_type", $"{o.Schedule}"),
            ("warmup_steps", warmupSteps), ("weight_decay", o.AdamW.WeightDecay), ("adam_beta1", o.AdamW.Beta1), ("adam_beta2", o.AdamW.Beta2),
            ("adam_epsilon", o.AdamW.Epsilon), ("max_grad_norm", o.MaxGradNorm), ("normalization", $"{o.Normalization}"), ("seed", o.Seed),
            ("dtype", m.DType.Name()), ("backend", model.Backend.Name), ("pass_rows", passRows), ("model_seed", m.Seed), ("lora_rank", m.Lora?.Rank ?? 0),
            ("lora_alpha", m.Lora?.Alpha ?? 0), ("lora_dropout", m.Lora?.Dropout ?? 0), ("lora_target_modules", string.Join(',', m.Lora?.TargetModules ?? [])),
            ("model_shape", RunFingerprint.Shape(model.Config)));
    }
}
