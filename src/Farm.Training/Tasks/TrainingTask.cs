using Farm.Training.Data;
using Farm.Training.Model;

namespace Farm.Training.Tasks;

/// <summary>
/// An objective over packed examples. A unit is what a loss is averaged over inside an example: tokens of a response, or pairs.
/// </summary>
public abstract class TrainingTask
{
    /// <summary>The name on the command line and in checkpoints.</summary>
    public abstract string Name { get; }

    /// <summary>True where all units of an update weigh the same whatever example they belong to.</summary>
    public virtual bool AlwaysPerUnit => false;

    /// <summary>Units of an example, at least 1.</summary>
    public abstract int Units(TrainingExample example);

    /// <summary>
    /// One pass: forward, and with <paramref name="unitScales"/> backward.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="workspace">Memory for it.</param>
    /// <param name="batch">Filled here; its key is set.</param>
    /// <param name="examples">What to pack.</param>
    /// <param name="unitScales">d(objective)/d(loss of a unit) of each example; null to evaluate.</param>
    /// <returns>What each example did.</returns>
    public abstract IReadOnlyList<ExampleResult> Pass(
        TrainableLlama model, TrainingWorkspace workspace, PackedBatch batch, IReadOnlyList<TrainingExample> examples, IReadOnlyList<float>? unitScales);

    /// <summary>What is reported of an evaluation besides the loss; names as in metrics.jsonl, without a prefix.</summary>
    public virtual IEnumerable<(string Name, double Value)> EvaluationMetrics(IReadOnlyList<ExampleResult> results) => [];
}

/// <summary>What a pass found of one example.</summary>
/// <param name="Example">The example.</param>
/// <param name="LossSum">Sum of the losses of its units, in nats.</param>
/// <param name="Units">Number of its units.</param>
/// <param name="Rewards">Rewards of its sequences; empty for SFT.</param>
public sealed record ExampleResult(TrainingExample Example, double LossSum, int Units, IReadOnlyList<float> Rewards)
{
    /// <summary>Mean over its units.</summary>
    public double Loss => LossSum / Units;
}
