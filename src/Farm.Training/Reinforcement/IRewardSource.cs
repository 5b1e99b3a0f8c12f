using Farm.Core;

namespace Farm.Training.Reinforcement;

/// <summary>Gives responses their rewards.</summary>
public interface IRewardSource
{
    /// <summary>Rewards of responses to their prompts, in order; all are finite.</summary>
    /// <exception cref="BadInputException">A reward is not a finite number; the message names the row.</exception>
    float[] Score(IReadOnlyList<Rollout> rollouts, CancellationToken cancellation = default);
}
