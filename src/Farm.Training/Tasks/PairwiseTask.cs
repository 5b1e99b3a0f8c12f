using Farm.Training.Data;

namespace Farm.Training.Tasks;

/// <summary>Bradley-Terry on pairs: binary cross-entropy of logit r1 - r0 against the preferred candidate (AlpacaFarm's reward modeling).</summary>
public sealed class PairwiseTask : RewardTask
{
    /// <inheritdoc/>
    public override string Name => "pairwise";

    /// <inheritdoc/>
    public override int Units(TrainingExample example) => 1;

    /// <inheritdoc/>
    public override double Loss(TrainingExample example, ReadOnlySpan<float> rewards, Span<float> gradients)
    {
        ArgumentNullException.ThrowIfNull(example);
        double logit = (double)rewards[1] - rewards[0], gradient = Sigmoid(logit) - example.Target;
        (gradients[0], gradients[1]) = ((float)-gradient, (float)gradient);
        // softplus(logit) - choice * logit, in a form that keeps its digits when the two cancel.
        return example.Target == 1 ? Softplus(-logit) : Softplus(logit);
    }

    /// <summary>
    /// AlpacaFarm's metrics: a tie counts as a prediction of candidate 1. Rates of a class that does not occur are NaN. Means of rewards are Farm's own.
    /// </summary>
    public override IEnumerable<(string Name, double Value)> EvaluationMetrics(IReadOnlyList<ExampleResult> results)
    {
        ArgumentNullException.ThrowIfNull(results);
        double n = results.Count, positive = 0, predicted = 0, both = 0, correct = 0, better = 0, worse = 0;
        foreach (var result in results)
        {
            int choice = (int)result.Example.Target, prediction = result.Rewards[1] >= result.Rewards[0] ? 1 : 0;
            positive += choice;
            predicted += prediction;
            both += choice * prediction;
            correct += choice == prediction ? 1 : 0;
            better += result.Rewards[choice];
            worse += result.Rewards[1 - choice];
        }

        return
        [
            ("accuracy", correct / n), ("label_positive_rate", positive / n), ("positive_rate", predicted / n), ("true_positive_rate", both / positive),
            ("false_positive_rate", (predicted - both) / (n - positive)), ("mean_reward_preferred", better / n), ("mean_reward_other", worse / n),
        ];
    }
}
