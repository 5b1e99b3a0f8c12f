using Farm.Core;
using Farm.Cuda.Launch;

namespace Farm.Cuda;

public sealed partial class CudaBackend : IReinforcementBackend
{
    /// <inheritdoc/>
    public void Gae(Tensor rewards, Tensor values, Tensor starts, float gamma, float lambda, Tensor advantages, Tensor returns)
    {
        const string Op = nameof(Gae);
        RequireVectors(Op, rewards.Columns, (rewards, nameof(rewards)), (values, nameof(values)), (advantages, nameof(advantages)), (returns, nameof(returns)));
        Require(starts.Columns >= 1, Op, "starts has one more entry than there are rows", nameof(starts));
        RequireI32(starts, starts.Columns, Op, nameof(starts));
        int rows = starts.Columns - 1;
        Launch(TrainingKernels.Gae, new Grid(Grid.Over(rows, 8)), rewards, values, starts, advantages, returns, rows, gamma, lambda);
    }

    /// <inheritdoc/>
    public void Whiten(Tensor input, bool shiftMean, Tensor output)
    {
        RequireVectors(nameof(Whiten), input.Columns, (input, nameof(input)), (output, nameof(output)));
        Launch(TrainingKernels.Whiten, new Grid(input.Columns > 0 ? 1 : 0), input, output, input.Columns, shiftMean ? 1 : 0);
    }

    /// <inheritdoc/>
    public void TokenKl(Tensor logProbs, Tensor referenceLogProbs, KlEstimator estimator, Tensor kl)
    {
        RequireVectors(nameof(TokenKl), logProbs.Columns, (logProbs, nameof(logProbs)), (referenceLogProbs, nameof(referenceLogProbs)), (kl, nameof(kl)));
        Require(estimator is KlEstimator.K1 or KlEstimator.Clamped or KlEstimator.K3, nameof(TokenKl), "the estimator is one of those there are", nameof(estimator));
        Launch(TrainingKernels.TokenKl, new Grid(Grid.Over(kl.Columns, 256)), logProbs, referenceLogProbs, kl, kl.Columns, (int)estimator);
    }

    /// <inheritdoc/>
    public void LinearLogProb(Tensor hidden, Tensor weight, Tensor ids, float temperature, Tensor logProbs, Tensor entropies = default, Tensor gradients = default,
        Tensor hiddenGradient = default, Tensor weightGradient = default)
    {
        if (!gradients.IsNone)
        {
            RequireF32(gradients, 1, hidden.Rows, nameof(LinearLogProb), nameof(gradients));
        }

        Policy(nameof(LinearLogProb), hidden, weight, ids, new PolicyLossSettings(temperature, 0, 0), logProbs, entropies, gradients, default, default, default, default,
            gradients.IsNone ? default : hiddenGradient, gradients.IsNone ? default : weightGradient);
    }

    /// <inheritdoc/>
    public void LinearPolicyLoss(Tensor hidden, Tensor weight, Tensor ids, in PolicyLossSettings settings, Tensor oldLogProbs, Tensor advantages, Tensor logProbs, Tensor losses, Tensor clipped,
        Tensor entropies = default, Tensor hiddenGradient = default, Tensor weightGradient = default)
    {
        const string Op = nameof(LinearPolicyLoss);
        RequireVectors(Op, hidden.Rows, (oldLogProbs, nameof(oldLogProbs)), (advantages, nameof(advantages)), (losses, nameof(losses)), (clipped, nameof(clipped)));
        Policy(Op, hidden, weight, ids, settings, logProbs, entropies, default, oldLogProbs, advantages, losses, clipped, hiddenGradient, weightGradient);
    }

    /// <inheritdoc/>
    public void ValueLoss(Tensor values, Tensor oldValues, Tensor returns, float clip, float scale, Tensor losses, Tensor clipped, Tensor gradients)
    {
        RequireVectors(nameof(ValueLoss), values.Columns, (values, nameof(values)), (oldValues, nameof(oldValues)), (returns, nameof(returns)), (losses, nameof(losses)),
            (clipped, nameof(clipped)), (gradients, nameof(gradients)));
        Launch(TrainingKernels.ValueLoss, new Grid(Grid.Over(values.Columns, 256)), values, oldValues, returns, losses, clipped, gradients, values.Columns, clip, scale);
    }

    /// <inheritdoc/>
    public void DpoLoss(Tensor policyChosen, Tensor policyRejected, Tensor referenceChosen, Tensor referenceRejected, in DpoSettings settings, Tensor losses, Tensor gradients)
    {
        const string Op = nameof(DpoLoss);
        int count = policyChosen.Columns;
        RequireVectors(Op, count, (policyChosen, nameof(policyChosen)), (policyRejected, nameof(policyRejected)), (referenceChosen, nameof(referenceChosen)),
            (referenceRejected, nameof(referenceRejected)), (losses, nameof(losses)), (gradients, nameof(gradients)));
        Require(settings.Beta > 0, Op, "beta is over 0", nameof(settings));
        Launch(TrainingKernels.DpoLoss, new Grid(Grid.Over(count, 256)), policyChosen, policyRejected, referenceChosen, referenceRejected, losses, gradients, count,
            settings.Kind == DpoKind.Ipo ? 1 : 0, settings.Beta, settings.LabelSmoothing, settings.Scale);
    }

    /// <inheritdoc/>
    public void PairwiseLoss(Tensor rewards, Tensor choices, float scale, Tensor losses, Tensor gradients)
    {
        const string Op = nameof(PairwiseLoss);
        int pairs = rewards.Rows;
        RequireF32(rewards, pairs, 2, Op, nameof(rewards));
        RequireI32(choices, pairs, Op, nameof(choices));
        RequireF32(losses, 1, pairs, Op, nameof(losses));
        RequireF32(gradients, pairs, 2, Op, nameof(gradients));
        Launch(TrainingKernels.PairwiseLoss, new Grid(Grid.Over(pairs, 256)), rewards, choices, losses, gradients, rewards.Stride, gradients.Stride, pairs, scale);
    }

    /// <inheritdoc/>
    public void QuarkLoss(Tensor logits, Tensor referenceLogits, Tensor ids, in QuarkSettings settings, Tensor losses, Tensor logProbs, Tensor kl, Tensor entropies, Tensor gradient = default)
    {
        const string Op = nameof(QuarkLoss);
        RequireF32(logits, logits.Rows, logits.Columns, Op, nameof(logits));
        RequireF32(referenceLogits, logits.Rows, logits.Columns, Op, nameof(referenceLogits));
        RequireI32(ids, logits.Rows, Op, nameof(ids));
        RequireVectors(Op, logits.Rows, (losses, nameof(losses)), (logProbs, nameof(logProbs)), (kl, nameof(kl)), (entropies, nameof(entropies)));
        Require(settings.Vocabulary >= 1 && settings.Vocabulary <= logits.Columns, Op, "the vocabulary is 1 to all columns", nameof(settings));
        Require(settings.Temperature > 0, Op, "the temperature is over 0", nameof(settings));
        if (!gradient.IsNone)
        {
            RequireF32(gradient, logits.Rows, logits.Columns, Op, nameof(gradient));
        }

        Launch(TrainingKernels.QuarkLoss, new Grid(logits.Rows), logits, referenceLogits, ids, losses, logProbs, kl, entropies, gradient, logits.Stride, referenceLogits.Stride, gradient.Stride,
            logits.Columns, settings.Vocabulary, settings.Temperature, settings.KlCoefficient, settings.EntropyCoefficient, settings.Scale);
    }

    private void Policy(string op, Tensor hidden, Tensor weight, Tensor ids, in PolicyLossSettings settings, Tensor logProbs, Tensor entropies, Tensor slopes, Tensor oldLogProbs,
        Tensor advantages, Tensor losses, Tensor clipped, Tensor hiddenGradient, Tensor weightGradient)
    {
        int rows = hidden.Rows;
        CheckVocabulary(op, hidden, weight, ids, hiddenGradient, weightGradient);
        RequireF32(logProbs, 1, rows, op, nameof(logProbs));
        Require(settings.Temperature > 0, op, "the temperature is over 0", nameof(settings));
        if (!entropies.IsNone)
        {
            RequireF32(entropies, 1, rows, op, nameof(entropies));
        }

        _scratch.Reset();
        for (int row0 = 0; row0 < rows; row0 += VocabularyRows)
        {
            var mark = _scratch.Mark();
            var walk = new VocabularyWalk(this, hidden, weight, ids.Address, row0, 1f / settings.Temperature, hiddenGradient, weightGradient);
            walk.Scan();
            Launch(TrainingKernels.PolicyFinish, new Grid(Grid.Over(walk.Rows, 256)), walk.State, At(slopes, row0), At(oldLogProbs, row0), At(advantages, row0), At(logProbs, row0),
                At(entropies, row0), At(losses, row0), At(clipped, row0), walk.Factors, walk.Rows, settings.Temperature, settings.Clip, settings.Scale);
            walk.Gradients();
            _scratch.Release(mark);
        }
    }
}
