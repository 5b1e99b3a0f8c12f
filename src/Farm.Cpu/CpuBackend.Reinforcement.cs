using Farm.Core;

namespace Farm.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public void Gae(Tensor rewards, Tensor values, Tensor starts, float gamma, float lambda, Tensor advantages, Tensor returns)
    {
        const string Op = nameof(Gae);
        RequireVectors(Op, rewards.Columns, (rewards, nameof(rewards)), (values, nameof(values)), (advantages, nameof(advantages)), (returns, nameof(returns)));
        Require(starts.Columns >= 1, Op, "starts has one more entry than there are rows", nameof(starts));
        RequireI32(starts, starts.Columns, Op, nameof(starts));
        Check(NativeReinforcement.farm_gae(
            Context, rewards.Address, values.Address, starts.Address, starts.Columns - 1, gamma, lambda, advantages.Address, returns.Address));
    }

    /// <inheritdoc/>
    public void Whiten(Tensor input, bool shiftMean, Tensor output)
    {
        RequireVectors(nameof(Whiten), input.Columns, (input, nameof(input)), (output, nameof(output)));
        Check(NativeReinforcement.farm_whiten(Context, input.Address, input.Columns, shiftMean ? 1 : 0, output.Address));
    }

    /// <inheritdoc/>
    public void TokenKl(Tensor logProbs, Tensor referenceLogProbs, KlEstimator estimator, Tensor kl)
    {
        RequireVectors(nameof(TokenKl), logProbs.Columns, (logProbs, nameof(logProbs)), (referenceLogProbs, nameof(referenceLogProbs)), (kl, nameof(kl)));
        Require(estimator is KlEstimator.K1 or KlEstimator.Clamped or KlEstimator.K3, nameof(TokenKl), "the estimator is one of those there are", nameof(estimator));
        Check(NativeReinforcement.farm_token_kl(Context, logProbs.Address, referenceLogProbs.Address, logProbs.Columns, (int)estimator, kl.Address));
    }

    /// <inheritdoc/>
    public void LinearLogProb(Tensor hidden, Tensor weight, Tensor ids, float temperature, Tensor logProbs, Tensor entropies = default, Tensor gradients = default,
        Tensor hiddenGradient = default, Tensor weightGradient = default)
    {
        const string Op = nameof(LinearLogProb);
        var args = PolicyArgs(Op, hidden, weight, ids, temperature, logProbs, entropies, hiddenGradient, weightGradient);
        if (!gradients.IsNone)
        {
            RequireF32(gradients, 1, hidden.Rows, Op, nameof(gradients));
            args.Gradients = gradients.Address;
        }

        Check(NativeReinforcement.farm_linear_policy(Context, args));
    }

    /// <inheritdoc/>
    public void LinearPolicyLoss(Tensor hidden, Tensor weight, Tensor ids, in PolicyLossSettings settings, Tensor oldLogProbs, Tensor advantages, Tensor logProbs, Tensor losses, Tensor clipped,
        Tensor entropies = default, Tensor hiddenGradient = default, Tensor weightGradient = default)
    {
        const string Op = nameof(LinearPolicyLoss);
        var args = PolicyArgs(Op, hidden, weight, ids, settings.Temperature, logProbs, entropies, hiddenGradient, weightGradient);
        RequireVectors(Op, hidden.Rows, (oldLogProbs, nameof(oldLogProbs)), (advantages, nameof(advantages)), (losses, nameof(losses)), (clipped, nameof(clipped)));
        args.OldLogProbs = oldLogProbs.Address;
        args.Advantages = advantages.Address;
        args.Losses = losses.Address;
        args.Clipped = clipped.Address;
        args.Clip = settings.Clip;
        args.Scale = settings.Scale;
        Check(NativeReinforcement.farm_linear_policy(Context, args));
    }

    /// <inheritdoc/>
    public void ValueLoss(Tensor values, Tensor oldValues, Tensor returns, float clip, float scale, Tensor losses, Tensor clipped, Tensor gradients)
    {
        RequireVectors(nameof(ValueLoss), values.Columns, (values, nameof(values)), (oldValues, nameof(oldValues)), (returns, nameof(returns)), (losses, nameof(losses)),
            (clipped, nameof(clipped)), (gradients, nameof(gradients)));
        Check(NativeReinforcement.farm_value_loss(
            Context, values.Address, oldValues.Address, returns.Address, values.Columns, clip, scale, losses.Address, clipped.Address, gradients.Address));
    }

    /// <inheritdoc/>
    public void DpoLoss(Tensor policyChosen, Tensor policyRejected, Tensor referenceChosen, Tensor referenceRejected, in DpoSettings settings, Tensor losses, Tensor gradients)
    {
        const string Op = nameof(DpoLoss);
        RequireVectors(Op, policyChosen.Columns, (policyChosen, nameof(policyChosen)), (policyRejected, nameof(policyRejected)), (referenceChosen, nameof(referenceChosen)),
            (referenceRejected, nameof(referenceRejected)), (losses, nameof(losses)), (gradients, nameof(gradients)));
        Require(settings.Beta > 0, Op, "beta is over 0", nameof(settings));
        Check(NativeReinforcement.farm_dpo_loss(Context, new NativeReinforcement.DpoArgs
        {
            PolicyChosen = policyChosen.Address,
            PolicyRejected = policyRejected.Address,
            ReferenceChosen = referenceChosen.Address,
            ReferenceRejected = referenceRejected.Address,
            Losses = losses.Address,
            Gradients = gradients.Address,
            Count = policyChosen.Columns,
            Kind = (int)settings.Kind,
            Beta = settings.Beta,
            LabelSmoothing = settings.LabelSmoothing,
            Scale = settings.Scale,
        }));
    }

    /// <inheritdoc/>
    public void PairwiseLoss(Tensor rewards, Tensor choices, float scale, Tensor losses, Tensor gradients)
    {
        const string Op = nameof(PairwiseLoss);
        RequireF32(rewards, rewards.Rows, 2, Op, nameof(rewards));
        RequireI32(choices, rewards.Rows, Op, nameof(choices));
        RequireF32(losses, 1, rewards.Rows, Op, nameof(losses));
        RequireF32(gradients, rewards.Rows, 2, Op, nameof(gradients));
        Check(NativeReinforcement.farm_pairwise_loss(
            Context, rewards.Address, rewards.Stride, choices.Address, rewards.Rows, scale, losses.Address, gradients.Address, gradients.Stride));
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

        Check(NativeReinforcement.farm_quark_loss(Context, new NativeReinforcement.QuarkArgs
        {
            Logits = logits.Address,
            ReferenceLogits = referenceLogits.Address,
            Ids = ids.Address,
            Losses = losses.Address,
            LogProbs = logProbs.Address,
            Kl = kl.Address,
            Entropies = entropies.Address,
            Gradient = gradient.Address,
            Rows = logits.Rows,
            Columns = logits.Columns,
            LogitsStride = logits.Stride,
            ReferenceStride = referenceLogits.Stride,
            GradientStride = gradient.Stride,
            Vocabulary = settings.Vocabulary,
            Temperature = settings.Temperature,
            KlCoefficient = settings.KlCoefficient,
            EntropyCoefficient = settings.EntropyCoefficient,
            Scale = settings.Scale,
        }));
    }

    private static NativeReinforcement.PolicyArgs PolicyArgs(
        string op, Tensor hidden, Tensor weight, Tensor ids, float temperature, Tensor logProbs, Tensor entropies, Tensor hiddenGradient, Tensor weightGradient)
    {
        int rows = hidden.Rows;
        RequireF32(hidden, rows, weight.Columns, op, nameof(hidden));
        Require(weight.DType is DType.F32 or DType.BF16 && weight.Rows > 0, op, "the weight is F32 or BF16 and not empty", nameof(weight));
        RequireI32(ids, rows, op, nameof(ids));
        RequireF32(logProbs, 1, rows, op, nameof(logProbs));
        Require(temperature > 0, op, "the temperature is over 0", nameof(temperature));
        if (!entropies.IsNone)
        {
            RequireF32(entropies, 1, rows, op, nameof(entropies));
        }

        if (!hiddenGradient.IsNone)
        {
            RequireF32(hiddenGradient, rows, weight.Columns, op, nameof(hiddenGradient));
        }

        if (!weightGradient.IsNone)
        {
            RequireF32(weightGradient, weight.Rows, weight.Columns, op, nameof(weightGradient));
        }

        return new NativeReinforcement.PolicyArgs
        {
            Hidden = hidden.Address,
            Weight = Matrix(weight, false),
            Ids = ids.Address,
            LogProbs = logProbs.Address,
            Entropies = entropies.Address,
            HiddenGradient = hiddenGradient.Address,
            WeightGradient = weightGradient.Address,
            Rows = rows,
            Columns = weight.Columns,
            Vocabulary = weight.Rows,
            HiddenStride = hidden.Stride,
            HiddenGradientStride = hiddenGradient.Stride,
            WeightGradientStride = weightGradient.Stride,
            Temperature = temperature,
        };
    }
}
