using Farm.Training.Data;

namespace Farm.Training.Tasks;

/// <summary>Regression on ratings: squared difference of sigmoid(reward) and the target in [0, 1].</summary>
public sealed class RatingsTask : RewardTask
{
    /// <inheritdoc/>
    public override string Name => "ratings";

    /// <inheritdoc/>
    public override int Units(TrainingExample example) => 1;

    /// <inheritdoc/>
    public override double Loss(TrainingExample example, ReadOnlySpan<float> rewards, Span<float> gradients)
    {
        ArgumentNullException.ThrowIfNull(example);
        double value = Sigmoid(rewards[0]), difference = value - example.Target;
        gradients[0] = (float)(2 * difference * value * (1 - value));
        return difference * difference;
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, double Value)> EvaluationMetrics(IReadOnlyList<ExampleResult> results) =>
        [("mean_absolute_error", results.Average(r => Math.Abs(Sigmoid(r.Rewards[0]) - r.Example.Target)))];
}
