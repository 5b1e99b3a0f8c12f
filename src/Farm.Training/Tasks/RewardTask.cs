using Farm.Training.Data;
using Farm.Training.Model;

namespace Farm.Training.Tasks;

/// <summary>Objectives on the rewards of an example's sequences.</summary>
public abstract class RewardTask : TrainingTask
{
    /// <inheritdoc/>
    public sealed override IReadOnlyList<ExampleResult> Pass(
        TrainableLlama model, TrainingWorkspace workspace, PackedBatch batch, IReadOnlyList<TrainingExample> examples, IReadOnlyList<float>? unitScales)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(examples);
        batch.Clear();
        var last = new List<int>();
        foreach (var sequence in examples.SelectMany(e => e.Sequences))
        {
            last.Add(batch.Add(sequence) + sequence.Length - 1);
        }

        int[] rows = [.. last];
        float[] rewards = new float[rows.Length], gradients = new float[rows.Length];
        model.Forward(batch, workspace, training: unitScales is not null);
        model.Rewards(workspace, rows, rewards);
        var results = new List<ExampleResult>(examples.Count);
        int at = 0;
        for (int e = 0; e < examples.Count; e++)
        {
            int count = examples[e].Sequences.Count;
            float[] own = rewards[at..(at + count)];
            double loss = Loss(examples[e], own, gradients.AsSpan(at, count));
            for (int i = at; i < at + count; i++)
            {
                gradients[i] *= unitScales?[e] ?? 0;
            }

            results.Add(new ExampleResult(examples[e], loss, Units(examples[e]), own));
            at += count;
        }

        if (unitScales is not null)
        {
            model.RewardsBackward(workspace, rows, gradients);
            model.Backward(workspace);
        }

        return results;
    }

    /// <summary>Sum of the losses of an example's units, and its gradient with respect to the rewards.</summary>
    public abstract double Loss(TrainingExample example, ReadOnlySpan<float> rewards, Span<float> gradients);

    /// <summary>softplus(x) = log(1 + e^x) without overflow.</summary>
    protected static double Softplus(double x) => Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x)));

    /// <summary>1 / (1 + e^-x) without overflow.</summary>
    protected static double Sigmoid(double x)
    {
        double e = Math.Exp(-Math.Abs(x));
        return x >= 0 ? 1 / (1 + e) : e / (1 + e);
    }
}
