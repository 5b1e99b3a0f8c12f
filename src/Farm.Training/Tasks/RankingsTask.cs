using Farm.Training.Data;

namespace Farm.Training.Tasks;

/// <summary>
/// Bradley-Terry over all pairs of a prompt: softplus(-(preferred - other)), the sequences alternating. All pairs of an update weigh the
/// same, as in a batch that is flattened and averaged.
/// </summary>
public sealed class RankingsTask : RewardTask
{
    /// <inheritdoc/>
    public override string Name => "rankings";

    /// <inheritdoc/>
    public override bool AlwaysPerUnit => true;

    /// <inheritdoc/>
    public override int Units(TrainingExample example)
    {
        ArgumentNullException.ThrowIfNull(example);
        return example.Sequences.Count / 2;
    }

    /// <inheritdoc/>
    public override double Loss(TrainingExample example, ReadOnlySpan<float> rewards, Span<float> gradients)
    {
        double loss = 0;
        for (int i = 0; i < rewards.Length; i += 2)
        {
            double logit = (double)rewards[i] - rewards[i + 1], gradient = -Sigmoid(-logit);
            (gradients[i], gradients[i + 1]) = ((float)gradient, (float)-gradient);
            loss += Softplus(-logit);
        }

        return loss;
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, double Value)> EvaluationMetrics(IReadOnlyList<ExampleResult> results)
    {
        ArgumentNullException.ThrowIfNull(results);
        double correct = results.Sum(r => Enumerable.Range(0, r.Units).Count(i => r.Rewards[2 * i] > r.Rewards[(2 * i) + 1]));
        return [("accuracy", correct / results.Sum(r => r.Units))];
    }
}
