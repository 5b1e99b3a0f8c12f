using Farm.Core;
using Farm.Training.Model;
using Farm.Training.Reinforcement;

namespace Farm.Cli.Options;

/// <summary>What <c>farm ppo</c> and <c>farm quark</c> have in common, as the flags say it.</summary>
internal sealed record FeedbackSettings(
    string Policy, string Reward, string Input, string? Eval, string Output, bool Restart, PpoLayout Layout, LoraOptions? Lora, DType DType, DType SaveDType, int Threads, bool Recompute,
    string? PromptDictionary, int? MaxInstances, bool InitValueWithReward, bool Json)
{
    /// <summary>Where the work is done.</summary>
    public DeviceChoice Device { get; init; } = DeviceChoice.Cpu;

    /// <summary>Whether products on a GPU round their operands to bf16.</summary>
    public bool Bf16Activations { get; init; }
}
