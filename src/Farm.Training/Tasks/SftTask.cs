using Farm.Training.Data;
using Farm.Training.Model;

namespace Farm.Training.Tasks;

/// <summary>Next-token cross-entropy of responses given prompts (AlpacaFarm's supervised fine-tuning); units are tokens.</summary>
public sealed class SftTask : TrainingTask
{
    /// <inheritdoc/>
    public override string Name => "sft";

    /// <inheritdoc/>
    public override int Units(TrainingExample example)
    {
        ArgumentNullException.ThrowIfNull(example);
        return example.Sequences[0].Length - example.FirstLabel;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<ExampleResult> Pass(
        TrainableLlama model, TrainingWorkspace workspace, PackedBatch batch, IReadOnlyList<TrainingExample> examples, IReadOnlyList<float>? unitScales)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(examples);
        List<int> rows = [], labels = [];
        List<float> scales = [];
        batch.Clear();
        for (int e = 0; e < examples.Count; e++)
        {
            int[] ids = examples[e].Sequences[0];
            int first = batch.Add(ids);
            for (int i = examples[e].FirstLabel; i < ids.Length; i++)
            {
                rows.Add(first + i - 1);
                labels.Add(ids[i]);
                scales.Add(unitScales?[e] ?? 0);
            }
        }

        var losses = new float[rows.Count];
        model.Forward(batch, workspace, training: unitScales is not null);
        model.CrossEntropy(workspace, [.. rows], [.. labels], unitScales is null ? [] : [.. scales], losses);
        if (unitScales is not null)
        {
            model.Backward(workspace);
        }

        var results = new List<ExampleResult>(examples.Count);
        int at = 0;
        foreach (var example in examples)
        {
            int units = Units(example);
            double sum = 0;
            for (int i = 0; i < units; i++)
            {
                sum += losses[at++];
            }

            results.Add(new ExampleResult(example, sum, units, []));
        }

        return results;
    }
}
