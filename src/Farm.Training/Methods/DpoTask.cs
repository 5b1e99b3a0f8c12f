using Farm.Core;
using Farm.Training.Data;
using Farm.Training.Model;
using Farm.Training.Tasks;

namespace Farm.Training.Methods;

/// <summary>
/// Direct preference optimisation (Rafailov et al., 2023) as an objective of <see cref="Trainer"/>: an example is a pair, the preferred response first, with the reference's summed log-probabilities. IPO and label
/// smoothing are settings of the loss.
/// </summary>
/// <param name="beta">Strength of the tie to the reference.</param>
/// <param name="kind">Shape of the loss.</param>
/// <param name="labelSmoothing">Share of labels taken to be wrong.</param>
public sealed class DpoTask(double beta, DpoKind kind = DpoKind.Sigmoid, double labelSmoothing = 0) : TrainingTask
{
    private readonly DpoSettings _settings = beta > 0 && double.IsFinite(beta) && labelSmoothing is >= 0 and < 0.5
        ? new DpoSettings(kind, (float)beta, (float)labelSmoothing, 1)
        : throw new BadInputException(FormattableString.Invariant($"--beta must be over 0 and --label-smoothing at least 0 and below 0.5, not {beta} and {labelSmoothing}."));

    /// <inheritdoc/>
    public override string Name => FormattableString.Invariant($"dpo {kind} {beta} {labelSmoothing}");

    /// <inheritdoc/>
    public override int Units(TrainingExample example) => 1;

    /// <inheritdoc/>
    public override IReadOnlyList<ExampleResult> Pass(
        TrainableLlama model, TrainingWorkspace workspace, PackedBatch batch, IReadOnlyList<TrainingExample> examples, IReadOnlyList<float>? unitScales)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(examples);
        int n = examples.Count;
        var (rows, ids, owners) = SequenceLogProbs.Pack(batch, examples);
        var logProbs = new float[rows.Length];
        model.Forward(batch, workspace, training: unitScales is not null);
        model.LogProbs(workspace, rows, ids, 1, logProbs);
        float[] sums = SequenceLogProbs.Sums(logProbs, owners, 2 * n), losses = new float[n], gradients = new float[n];
        float[] Of(Func<int, float> value) => [.. Enumerable.Range(0, n).Select(value)];
        float Reference(int e, int side) => examples[e].Reference is { Count: 2 } known ? known[side] : throw new ArgumentException("an example has no reference log-probabilities", nameof(examples));
        model.DpoLoss(workspace, Of(e => sums[2 * e]), Of(e => sums[(2 * e) + 1]), Of(e => Reference(e, 0)), Of(e => Reference(e, 1)), _settings, losses, gradients);
        if (unitScales is not null)
        {
            float[] slopes = [.. owners.Select(o => (o % 2 == 0 ? 1 : -1) * gradients[o / 2] * unitScales[o / 2])];
            model.LogProbs(workspace, rows, ids, 1, logProbs, default, slopes);
            model.Backward(workspace);
        }

        return [.. examples.Select((e, i) => new ExampleResult(e, losses[i], 1, [(float)beta * (sums[2 * i] - Reference(i, 0)), (float)beta * (sums[(2 * i) + 1] - Reference(i, 1))]))];
    }

    /// <summary>AlpacaFarm reports the loss alone; implicit rewards beta (log-probability - reference's) are Farm's own.</summary>
    public override IEnumerable<(string Name, double Value)> EvaluationMetrics(IReadOnlyList<ExampleResult> results)
    {
        ArgumentNullException.ThrowIfNull(results);
        double chosen = results.Average(r => (double)r.Rewards[0]), rejected = results.Average(r => (double)r.Rewards[1]);
        return [("accuracy", results.Average(r => r.Rewards[0] > r.Rewards[1] ? 1.0 : 0)), ("reward_chosen", chosen), ("reward_rejected", rejected), ("margin", chosen - rejected)];
    }
}
