using Farm.Core;

namespace Farm.Training.Model;

/// <content>The language head of learning from feedback: log-probabilities of given tokens and the losses on them. Each of these methods follows a <see cref="Forward"/>.</content>
public sealed partial class TrainableLlama
{
    private const int OldLogProbs = 0, Advantages = 1, LogProbVector = 2, Clipped = 3, Entropies = 4, Spare = 5;

    /// <summary>
    /// Log-probabilities of tokens, log softmax(logits / temperature)[id] at each row, and entropies in nats where asked.
    /// </summary>
    /// <param name="workspace">After <see cref="Forward"/>.</param>
    /// <param name="rows">Rows of the batch, each at most once; not empty.</param>
    /// <param name="ids">The token that follows each.</param>
    /// <param name="temperature">Divides the logits.</param>
    /// <param name="logProbs">Receives the log-probabilities.</param>
    /// <param name="entropies">Receives the entropies; empty to skip.</param>
    /// <param name="gradients">d(objective)/d(log-probability) of each, to send back through the head; empty for none. <see cref="Backward"/> is to follow.</param>
    public void LogProbs(
        TrainingWorkspace workspace, ReadOnlySpan<int> rows, ReadOnlySpan<int> ids, float temperature, Span<float> logProbs, Span<float> entropies = default, ReadOnlySpan<float> gradients = default)
    {
        ArgumentNullException.ThrowIfNull(workspace);
        var head = LanguageHead();
        bool backward = !gradients.IsEmpty;
        var indices = workspace.UploadRows(rows);
        var (selected, normed) = Select(workspace, indices);
        Tensor found = workspace.Vector(LogProbVector, rows.Length), spread = entropies.IsEmpty ? default : workspace.Vector(Entropies, rows.Length);
        var normedGradient = backward ? workspace.SelectedGradient.SliceRows(0, rows.Length) : default;
        Reinforcement.LinearLogProb(
            normed, head.Compute, workspace.UploadLabels(ids), temperature, found, spread, backward ? workspace.UploadVector(Spare, gradients) : default, normedGradient,
            backward ? head.Gradient : default);
        Backend.Download(found, logProbs[..rows.Length]);
        if (!entropies.IsEmpty)
        {
            Backend.Download(spread, entropies[..rows.Length]);
        }

        if (backward)
        {
            Unselect(workspace, indices, selected, normedGradient);
        }
    }

    /// <summary>PPO's clipped policy loss of tokens, and its gradient sent back through the head; <see cref="Backward"/> is to follow.</summary>
    /// <param name="workspace">After <see cref="Forward"/>.</param>
    /// <param name="rows">Rows of the batch, each at most once; not empty.</param>
    /// <param name="ids">The token that follows each.</param>
    /// <param name="settings">Temperature, clip and d(objective)/d(loss of a token).</param>
    /// <param name="oldLogProbs">Log-probabilities when the tokens were sampled.</param>
    /// <param name="advantages">Advantages.</param>
    /// <param name="results">Receives what each token did.</param>
    public void PolicyLoss(
        TrainingWorkspace workspace, ReadOnlySpan<int> rows, ReadOnlySpan<int> ids, in PolicyLossSettings settings, ReadOnlySpan<float> oldLogProbs, ReadOnlySpan<float> advantages, TokenLosses results)
    {
        ArgumentNullException.ThrowIfNull(workspace);
        ArgumentNullException.ThrowIfNull(results);
        var head = LanguageHead();
        int count = rows.Length;
        var indices = workspace.UploadRows(rows);
        var (selected, normed) = Select(workspace, indices);
        Tensor found = workspace.Vector(LogProbVector, count), spread = workspace.Vector(Entropies, count), losses = workspace.Losses(count), flags = workspace.Vector(Clipped, count);
        var normedGradient = workspace.SelectedGradient.SliceRows(0, count);
        Reinforcement.LinearPolicyLoss(
            normed, head.Compute, workspace.UploadLabels(ids), settings, workspace.UploadVector(OldLogProbs, oldLogProbs), workspace.UploadVector(Advantages, advantages), found, losses, flags, spread,
            normedGradient, head.Gradient);
        results.Resize(count);
        Backend.Download(found, results.LogProbs);
        Backend.Download(spread, results.Entropies);
        Backend.Download(losses, results.Losses);
        Backend.Download(flags, results.Clipped);
        Unselect(workspace, indices, selected, normedGradient);
    }

    /// <summary>The preference loss of pairs whose log-probabilities are known; nothing is sent back.</summary>
    /// <param name="workspace">Of this model.</param>
    /// <param name="chosen">Summed log-probabilities of the preferred responses.</param>
    /// <param name="rejected">Of the others.</param>
    /// <param name="referenceChosen">Under the reference.</param>
    /// <param name="referenceRejected">Under the reference.</param>
    /// <param name="settings">Shape and numbers.</param>
    /// <param name="losses">Receives the losses.</param>
    /// <param name="gradients">Receives d(objective)/d(chosen); those of the rejected are their negatives.</param>
    public void DpoLoss(
        TrainingWorkspace workspace, ReadOnlySpan<float> chosen, ReadOnlySpan<float> rejected, ReadOnlySpan<float> referenceChosen, ReadOnlySpan<float> referenceRejected, in DpoSettings settings,
        Span<float> losses, Span<float> gradients)
    {
        ArgumentNullException.ThrowIfNull(workspace);
        Tensor device = workspace.Losses(chosen.Length), slopes = workspace.Vector(4, chosen.Length);
        Reinforcement.DpoLoss(
            workspace.UploadVector(0, chosen), workspace.UploadVector(1, rejected), workspace.UploadVector(2, referenceChosen), workspace.UploadVector(3, referenceRejected), settings, device, slopes);
        Backend.Download(device, losses);
        Backend.Download(slopes, gradients);
    }

    /// <summary>
    /// Quark's loss on tokens against a reference model's logits at the same rows, a block of rows at a time so that the logits never exist whole; the gradient goes back through the head.
    /// </summary>
    /// <param name="workspace">After <see cref="Forward"/>.</param>
    /// <param name="reference">The reference, whose workspace is after a forward of the same rows.</param>
    /// <param name="referenceWorkspace">Its workspace.</param>
    /// <param name="rows">Rows of the batch, each at most once; not empty.</param>
    /// <param name="referenceRows">The same tokens' rows in the reference's batch.</param>
    /// <param name="ids">The token that follows each.</param>
    /// <param name="settings">Numbers of the loss.</param>
    /// <param name="scratch">Two logit blocks, F32 [B, V] each.</param>
    /// <param name="results">Receives what each token did.</param>
    public void QuarkLoss(
        TrainingWorkspace workspace, TrainableLlama reference, TrainingWorkspace referenceWorkspace, ReadOnlySpan<int> rows, ReadOnlySpan<int> referenceRows, ReadOnlySpan<int> ids, in QuarkSettings settings, (Tensor Own, Tensor Reference) scratch,
        TokenLosses results)
    {
        ArgumentNullException.ThrowIfNull(workspace);
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(referenceWorkspace);
        ArgumentNullException.ThrowIfNull(results);
        var head = LanguageHead();
        int count = rows.Length;
        var indices = workspace.UploadRows(rows);
        var (selected, normed) = Select(workspace, indices);
        var (_, other) = reference.Select(referenceWorkspace, referenceWorkspace.UploadRows(referenceRows));
        var labels = workspace.UploadLabels(ids);
        Tensor losses = workspace.Losses(count), found = workspace.Vector(LogProbVector, count), kl = workspace.Vector(Spare, count), spread = workspace.Vector(Entropies, count);
        var normedGradient = workspace.SelectedGradient.SliceRows(0, count);
        for (int first = 0; first < count; first += scratch.Own.Rows)
        {
            int block = Math.Min(scratch.Own.Rows, count - first);
            Tensor z = scratch.Own.SliceRows(0, block), y = scratch.Reference.SliceRows(0, block), own = normed.SliceRows(first, block);
            Backend.MatMul(own, false, head.Compute, true, z);
            Backend.MatMul(other.SliceRows(first, block), false, reference.LanguageHead().Compute, true, y);
            Reinforcement.QuarkLoss(
                z, y, labels.SliceColumns(first, block), settings, losses.SliceColumns(first, block), found.SliceColumns(first, block), kl.SliceColumns(first, block), spread.SliceColumns(first, block), z);
            Backend.MatMul(z, false, head.Compute, false, normedGradient.SliceRows(first, block));
            if (!head.Gradient.IsNone)
            {
                Backend.MatMul(z, true, own, false, head.Gradient, true);
            }
        }

        results.Resize(count);
        Backend.Download(losses, results.Losses);
        Backend.Download(found, results.LogProbs);
        Backend.Download(kl, results.Kl);
        Backend.Download(spread, results.Entropies);
        Unselect(workspace, indices, selected, normedGradient);
    }

    /// <summary>PPO's clipped value loss at rows, and its gradient sent back through the scalar head; <see cref="Backward"/> is to follow.</summary>
    /// <param name="workspace">After <see cref="Forward"/>.</param>
    /// <param name="rows">Rows of the batch, each at most once; not empty.</param>
    /// <param name="oldValues">Values when the tokens were sampled.</param>
    /// <param name="returns">Returns.</param>
    /// <param name="clip">Half width of the interval around the old values.</param>
    /// <param name="scale">d(objective)/d(loss of a row).</param>
    /// <param name="values">Receives the values.</param>
    /// <param name="results">Receives losses and clip flags.</param>
    public void ValueLoss(
        TrainingWorkspace workspace, ReadOnlySpan<int> rows, ReadOnlySpan<float> oldValues, ReadOnlySpan<float> returns, float clip, float scale, Span<float> values, TokenLosses results)
    {
        Rewards(workspace, rows, values);
        var gradients = new float[rows.Length];
        ValueLoss(workspace, values[..rows.Length], oldValues, returns, clip, scale, results, gradients);
        RewardsBackward(workspace, rows, gradients);
    }

    /// <summary>The same loss of values that are there already, with its gradient and no backward.</summary>
    public void ValueLoss(
        TrainingWorkspace workspace, ReadOnlySpan<float> values, ReadOnlySpan<float> oldValues, ReadOnlySpan<float> returns, float clip, float scale, TokenLosses results, Span<float> gradients)
    {
        ArgumentNullException.ThrowIfNull(workspace);
        ArgumentNullException.ThrowIfNull(results);
        int count = values.Length;
        Tensor losses = workspace.Losses(count), flags = workspace.Vector(Clipped, count), slopes = workspace.Vector(Spare, count);
        Reinforcement.ValueLoss(
            workspace.UploadVector(LogProbVector, values), workspace.UploadVector(OldLogProbs, oldValues), workspace.UploadVector(Advantages, returns), clip, scale, losses, flags, slopes);
        results.Resize(count);
        Backend.Download(losses, results.Losses);
        Backend.Download(flags, results.Clipped);
        Backend.Download(slopes, gradients);
    }

    /// <summary>The scalar head's bias: its output where there is nothing but padding.</summary>
    public float RewardBias()
    {
        Span<float> bias = stackalloc float[1];
        Backend.Download(RewardHead().Bias.Value, bias);
        return bias[0];
    }

    /// <summary>Adds to the gradient of the scalar head's bias.</summary>
    public void AddRewardBiasGradient(TrainingWorkspace workspace, float gradient)
    {
        ArgumentNullException.ThrowIfNull(workspace);
        Backend.Scale(workspace.UploadVector(Spare, [gradient]), 1, RewardHead().Bias.Gradient, accumulate: true);
    }

    private Parameter LanguageHead() => _languageHead ?? throw new InvalidOperationException("The model was loaded without its language head.");
}

/// <summary>What a loss found of each token; the memory is used again.</summary>
public sealed class TokenLosses
{
    private float[] _logProbs = [], _entropies = [], _losses = [], _clipped = [], _kl = [];
    private int _count;

    /// <summary>Log-probabilities under the current weights.</summary>
    public Span<float> LogProbs => _logProbs.AsSpan(0, _count);

    /// <summary>Entropies in nats.</summary>
    public Span<float> Entropies => _entropies.AsSpan(0, _count);

    /// <summary>Losses.</summary>
    public Span<float> Losses => _losses.AsSpan(0, _count);

    /// <summary>1 where the clipped loss is strictly larger (PPO).</summary>
    public Span<float> Clipped => _clipped.AsSpan(0, _count);

    /// <summary>Exact KL to the reference (Quark).</summary>
    public Span<float> Kl => _kl.AsSpan(0, _count);

    internal void Resize(int count)
    {
        _count = count;
        if (_losses.Length < count)
        {
            (_logProbs, _entropies, _losses, _clipped, _kl) = (new float[count], new float[count], new float[count], new float[count], new float[count]);
        }
    }
}
