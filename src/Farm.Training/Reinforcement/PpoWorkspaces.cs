using Farm.Training.Model;

namespace Farm.Training.Reinforcement;

/// <summary>Memory of the passes of policy and value network. Networks of one shape and the same adapters take turns in one workspace; the reference, which has the policy's shape, runs in the policy's.</summary>
internal sealed class PpoWorkspaces : IDisposable
{
    public PpoWorkspaces(PpoNetworks networks, int rows)
    {
        Policy = networks.Policy.CreateWorkspace(rows);
        Value = Alike(networks.Policy, networks.Value) ? Policy : networks.Value.CreateWorkspace(rows);
    }

    public TrainingWorkspace Policy { get; }

    public TrainingWorkspace Value { get; }

    public long Bytes => Policy.Bytes + (ReferenceEquals(Policy, Value) ? 0 : Value.Bytes);

    public void Dispose()
    {
        Policy.Dispose();
        if (!ReferenceEquals(Policy, Value))
        {
            Value.Dispose();
        }
    }

    private static bool Alike(TrainableLlama policy, TrainableLlama value) =>
        PpoMemoryPlan.SameShape(policy.Config, value.Config) && policy.Options.Lora?.Rank == value.Options.Lora?.Rank && policy.Options.Lora?.Alpha == value.Options.Lora?.Alpha
        && policy.Options.Recompute == value.Options.Recompute;
}
