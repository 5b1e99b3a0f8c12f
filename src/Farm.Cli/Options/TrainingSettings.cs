using Farm.Core;
using Farm.Training;
using Farm.Training.Model;

namespace Farm.Cli.Options;

/// <summary>What <see cref="TrainingOptions"/> read.</summary>
internal sealed record TrainingSettings(
    string Model, string Train, string? Eval, TrainerOptions Trainer, int MaxLength, bool Restart, bool Recompute, LoraOptions? Lora, DType DType, DType SaveDType, int Threads, DeviceChoice Device, bool Bf16Activations,
    string? PromptDictionary, int? MaxInstances, bool Json);
