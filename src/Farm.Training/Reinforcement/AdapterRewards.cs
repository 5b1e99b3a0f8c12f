using Farm.Core;
using Farm.Training.Model;

namespace Farm.Training.Reinforcement;

/// <summary>Rewards by adapters and a head on a base that other networks share.</summary>
/// <param name="model">The adapters.</param>
/// <param name="workspace">Memory for passes.</param>
public sealed class AdapterRewards(TrainableLlama model, TrainingWorkspace workspace) : IRewardSource
{
    private readonly PackedBatch _batch = new();

    /// <inheritdoc/>
    public float[] Score(IReadOnlyList<Rollout> rollouts, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rollouts);
        var rewards = new float[rollouts.Count];
        foreach (int[] part in TokenPasses.Cut([.. rollouts.Select(r => r.Prompt.Ids.Length + r.Content.Length)], workspace.MaxRows))
        {
            cancellation.ThrowIfCancellationRequested();
            _batch.Clear();
            int[] rows = [.. part.Select(i => TokenPasses.Add(_batch, rollouts[i].Prompt.Ids, rollouts[i].Content) + rollouts[i].Prompt.Ids.Length + rollouts[i].Content.Length - 1)];
            var found = new float[rows.Length];
            model.Forward(_batch, workspace, training: false);
            model.Rewards(workspace, rows, found);
            for (int i = 0; i < part.Length; i++)
            {
                rewards[part[i]] = float.IsFinite(found[i])
                    ? found[i]
                    : throw new BadInputException($"Row {rollouts[part[i]].Prompt.Row}: the reward of the response is not a finite number; the reward model's weights are damaged.");
            }
        }

        return rewards;
    }
}
