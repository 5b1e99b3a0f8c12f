using Farm.Core;

namespace Farm.Training.Model;

/// <content>The two heads: what they make of the last layer's output, and the gradient they send back.</content>
public sealed partial class TrainableLlama
{
    /// <summary>
    /// Cross-entropy of the rows that have a label. Only those rows see the final norm and the vocabulary.
    /// </summary>
    /// <param name="workspace">After <see cref="Forward"/>.</param>
    /// <param name="rows">Rows of the batch, each at most once; not empty.</param>
    /// <param name="labels">The token that follows each.</param>
    /// <param name="scales">d(objective)/d(loss) of each; empty for no gradient.</param>
    /// <param name="losses">Receives the losses, in nats.</param>
    public void CrossEntropy(TrainingWorkspace workspace, ReadOnlySpan<int> rows, ReadOnlySpan<int> labels, ReadOnlySpan<float> scales, Span<float> losses)
    {
        ArgumentNullException.ThrowIfNull(workspace);
        var head = _languageHead ?? throw new InvalidOperationException("The model was loaded without its language head.");
        bool backward = !scales.IsEmpty;
        var indices = workspace.UploadRows(rows);
        var (selected, normed) = Select(workspace, indices);
        var device = workspace.Losses(rows.Length);
        // With no gradient asked for, the scales are not looked at.
        var deviceScales = workspace.UploadScales(backward ? scales : losses[..rows.Length]);
        var normedGradient = backward ? workspace.SelectedGradient.SliceRows(0, rows.Length) : default;
        Backend.LinearCrossEntropy(
            normed, head.Compute, workspace.UploadLabels(labels), deviceScales, device, normedGradient, backward ? head.Gradient : default);
        Backend.Download(device, losses[..rows.Length]);
        if (backward)
        {
            Unselect(workspace, indices, selected, normedGradient);
        }
    }

    /// <summary>Rewards at the given rows, the last of each sequence.</summary>
    public void Rewards(TrainingWorkspace workspace, ReadOnlySpan<int> rows, Span<float> rewards)
    {
        ArgumentNullException.ThrowIfNull(workspace);
        var (weight, bias) = RewardHead();
        var (_, normed) = Select(workspace, workspace.UploadRows(rows));
        var output = workspace.Rewards.SliceRows(0, rows.Length);
        Backend.MatMul(normed, false, weight.Compute, true, output);
        Backend.AddBias(bias.Value, output);
        Backend.Download(output, rewards[..rows.Length]);
    }

    /// <summary>Sends the gradient of <see cref="Rewards"/> of the same rows back through the head; to be followed by <see cref="Backward"/>.</summary>
    public void RewardsBackward(TrainingWorkspace workspace, ReadOnlySpan<int> rows, ReadOnlySpan<float> rewardGradients)
    {
        ArgumentNullException.ThrowIfNull(workspace);
        var (weight, bias) = RewardHead();
        var indices = workspace.UploadRows(rows);
        var (selected, normed) = Select(workspace, indices);
        var gradient = workspace.Rewards.SliceRows(0, rows.Length);
        Backend.Upload(rewardGradients, gradient);
        Backend.MatMul(gradient, true, normed, false, weight.Gradient, true);
        Backend.SumRows(gradient, bias.Gradient);
        var normedGradient = workspace.SelectedGradient.SliceRows(0, rows.Length);
        Backend.MatMul(gradient, false, weight.Compute, false, normedGradient);
        Unselect(workspace, indices, selected, normedGradient);
    }

    private (Parameter Weight, Parameter Bias) RewardHead() => _rewardWeight is not null && _rewardBias is not null
        ? (_rewardWeight, _rewardBias)
        : throw new InvalidOperationException("The model was loaded without a reward head.");

    private (Tensor Selected, Tensor Normed) Select(TrainingWorkspace workspace, Tensor indices)
    {
        var selected = workspace.Selected.SliceRows(0, indices.Columns);
        var normed = workspace.Normed.SliceRows(0, indices.Columns);
        Backend.GatherRows(workspace.Input(_layers.Length), indices, selected);
        Backend.RmsNorm(selected, _finalNorm.Value, _epsilon, normed);
        return (selected, normed);
    }

    // Rows nobody looked at have no gradient; the others' is put back at their place.
    private void Unselect(TrainingWorkspace workspace, Tensor indices, Tensor selected, Tensor normedGradient)
    {
        var selectedGradient = workspace.Normed.SliceRows(0, indices.Columns);
        Backend.Scale(selectedGradient, 0, selectedGradient);
        Backend.RmsNormBackward(selected, _finalNorm.Value, _epsilon, normedGradient, selectedGradient, _finalNorm.Gradient);
        var gradient = workspace.HiddenGradient.SliceRows(0, workspace.Rows);
        Backend.Scale(gradient, 0, gradient);
        Backend.EmbeddingBackward(indices, selectedGradient, gradient);
    }
}
