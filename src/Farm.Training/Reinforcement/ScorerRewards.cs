using Farm.Inference;

namespace Farm.Training.Reinforcement;

/// <summary>
/// Rewards by a reward model of its own weights, run by the inference engine; responses to one prompt share it. The model never sees the end-of-sequence token, as in its training.
/// </summary>
/// <param name="scorer">The reward model.</param>
/// <param name="asText">Reads text tokenised anew, as AlpacaFarm does, instead of the sampled ids.</param>
/// <param name="cleanup">Applied to prompt and response text before they are joined (with <paramref name="asText"/>); null leaves them.</param>
public sealed class ScorerRewards(Scorer scorer, bool asText, Func<string, string>? cleanup = null) : IRewardSource
{
    /// <inheritdoc/>
    public float[] Score(IReadOnlyList<Rollout> rollouts, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rollouts);
        // Neighbours with one prompt form a group.
        var groups = new List<List<Rollout>>();
        foreach (var rollout in rollouts)
        {
            if (groups.Count == 0 || !ReferenceEquals(groups[^1][0].Prompt, rollout.Prompt))
            {
                groups.Add([]);
            }

            groups[^1].Add(rollout);
        }

        var scored = groups.Select(g => asText
            ? scorer.TextGroup(g[0].Prompt.Row - 1, Clean(g[0].Prompt.Text), g.Select(r => Clean(r.Text)))
            : ScoringGroup.Of(g[0].Prompt.Row - 1, g[0].Prompt.Ids, g.Select(r => r.Content))).ToList();
        return [.. scorer.Score(scored, cancellation).SelectMany(r => r)];
    }

    private string Clean(string text) => cleanup?.Invoke(text) ?? text;
}
