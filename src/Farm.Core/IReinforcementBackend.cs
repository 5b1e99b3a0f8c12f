namespace Farm.Core;

/// <summary>
/// The operations of learning from feedback. N is a number of tokens: rows of variable length lie one after another without padding in vectors F32 [1, N], row s owning the
/// elements starts[s] .. starts[s + 1], starts I32 [1, S + 1] from 0 to N. Where a method's definition runs over padding (AlpacaFarm's), the rows are padded to one length by the caller
/// and the padding is data like any other. The conventions of <see cref="IBackend"/> and <see cref="ITrainingBackend"/> hold.
/// </summary>
public interface IReinforcementBackend : ITrainingBackend
{
    /// <summary>
    /// Generalised advantage estimation (Schulman et al., 2016, eq. 16), backwards over each row with nothing beyond its end: delta_t = rewards_t + gamma values_{t+1} - values_t;
    /// advantages_t = delta_t + gamma lambda advantages_{t+1}; returns = advantages + values. All F32 [1, N]; outputs may not be inputs.
    /// </summary>
    void Gae(Tensor rewards, Tensor values, Tensor starts, float gamma, float lambda, Tensor advantages, Tensor returns);

    /// <summary>
    /// output = (input - m) / (s + 1e-8), plus m where <paramref name="shiftMean"/> is false; m is the mean and s the population deviation over all N elements, in float64. Of rows packed without
    /// padding this is masked whitening, of rows padded to one length AlpacaFarm's. F32 [1, N]; output may be input. Nothing happens for N = 0.
    /// </summary>
    void Whiten(Tensor input, bool shiftMean, Tensor output);

    /// <summary>Per-token estimates of KL(policy || reference) from log-probabilities of sampled tokens, all F32 [1, N]; see <see cref="KlEstimator"/>.</summary>
    void TokenKl(Tensor logProbs, Tensor referenceLogProbs, KlEstimator estimator, Tensor kl);

    /// <summary>
    /// Fused output layer and log-probabilities of given tokens: logProbs[t] = log softmax(hidden[t] weight^T / temperature)[ids[t]] and, where asked, the entropy of the same distribution in
    /// nats. hidden F32 [T, C], weight F32 or BF16 [V, C], ids I32 [1, T], logProbs and entropies F32 [1, T]. With <paramref name="gradients"/> F32 [1, T], d(objective)/d(logProbs), hiddenGradient [T, C] is written
    /// and weightGradient [V, C] accumulates, each where given. The logits exist only for a block of rows at a time.
    /// </summary>
    void LinearLogProb(Tensor hidden, Tensor weight, Tensor ids, float temperature, Tensor logProbs, Tensor entropies = default, Tensor gradients = default,
        Tensor hiddenGradient = default, Tensor weightGradient = default);

    /// <summary>
    /// Fused output layer, log-probabilities and PPO's clipped surrogate (Schulman et al., 2017, eq. 7): with r = exp(logProbs - oldLogProbs), losses[t] = max(-a r, -a clamp(r, 1 - clip, 1 + clip)), clipped[t] = 1 where
    /// the second is strictly larger, else 0. <paramref name="settings"/> gives d(objective)/d(losses[t]), one number for all rows; hiddenGradient [T, C] is written and weightGradient [V, C] accumulates, each where
    /// given. oldLogProbs, advantages, logProbs, losses, clipped and (where given) entropies are F32 [1, T]; the rest as in <see cref="LinearLogProb"/>. The logits are made once.
    /// </summary>
    void LinearPolicyLoss(Tensor hidden, Tensor weight, Tensor ids, in PolicyLossSettings settings, Tensor oldLogProbs, Tensor advantages, Tensor logProbs, Tensor losses, Tensor clipped,
        Tensor entropies = default, Tensor hiddenGradient = default, Tensor weightGradient = default);

    /// <summary>
    /// PPO's clipped value loss: with c = clamp(values, oldValues - clip, oldValues + clip), losses = max((values - returns)^2, (c - returns)^2) / 2, clipped = 1 where the second is strictly larger, else 0;
    /// gradients = scale * d(losses)/d(values). All F32 [1, N].
    /// </summary>
    void ValueLoss(Tensor values, Tensor oldValues, Tensor returns, float clip, float scale, Tensor losses, Tensor clipped, Tensor gradients);

    /// <summary>
    /// Preference loss on summed log-probabilities (Rafailov et al., "Direct Preference Optimization", 2023, eq. 7), with h = (policyChosen - referenceChosen) - (policyRejected - referenceRejected):
    /// sigmoid: -(1 - e) log sigmoid(beta h) - e log sigmoid(-beta h), e the label smoothing (Mitchell, conservative DPO, 2023); IPO: (h - 1 / (2 beta))^2 (Azar et al., 2023, eq. 17).
    /// All F32 [1, B]. gradients = scale * d(losses)/d(policyChosen); those of policyRejected are their negatives.
    /// </summary>
    void DpoLoss(Tensor policyChosen, Tensor policyRejected, Tensor referenceChosen, Tensor referenceRejected, in DpoSettings settings, Tensor losses, Tensor gradients);

    /// <summary>
    /// Bradley-Terry: with logit = rewards[p, 1] - rewards[p, 0], losses[p] = softplus(logit) - choices[p] * logit. rewards F32 [P, 2]; choices I32 [1, P], 0 or 1: the preferred candidate; losses F32 [1, P];
    /// gradients F32 [P, 2] = scale * d(losses)/d(rewards).
    /// </summary>
    void PairwiseLoss(Tensor rewards, Tensor choices, float scale, Tensor losses, Tensor gradients);

    /// <summary>
    /// Quark's token loss (Lu et al., 2022; AlpacaFarm): losses[t] = -logProbs[t] + klCoefficient * kl[t] - entropyCoefficient * entropies[t]. logProbs is of softmax(logits / temperature) over all V columns; kl is the exact
    /// KL(policy || reference) and entropies the policy's, both over the first <see cref="QuarkSettings.Vocabulary"/> columns renormalised. A row with a negative id gives zeros. logits and referenceLogits F32 [T, V]; ids
    /// I32 [1, T]; the four outputs F32 [1, T]; gradient F32 [T, V] = scale * d(losses)/d(logits), may be logits itself, none to skip.
    /// </summary>
    void QuarkLoss(Tensor logits, Tensor referenceLogits, Tensor ids, in QuarkSettings settings, Tensor losses, Tensor logProbs, Tensor kl, Tensor entropies, Tensor gradient = default);
}

/// <summary>Estimators of KL(policy || reference) from one sample, with d = logProb - referenceLogProb (Schulman, "Approximating KL divergence", 2020).</summary>
public enum KlEstimator
{
    /// <summary>d: unbiased, of either sign.</summary>
    K1 = 0,

    /// <summary>max(d, 0): AlpacaFarm's, biased upward.</summary>
    Clamped = 1,

    /// <summary>exp(-d) - 1 + d: unbiased and never negative.</summary>
    K3 = 2,
}

/// <summary>Shape of a preference loss.</summary>
public enum DpoKind
{
    /// <summary>DPO's negative log-sigmoid, with label smoothing.</summary>
    Sigmoid = 0,

    /// <summary>IPO's square.</summary>
    Ipo = 1,
}

/// <summary>Numbers of a PPO policy loss.</summary>
/// <param name="Temperature">Divides the logits.</param>
/// <param name="Clip">Half width of the ratio's interval.</param>
/// <param name="Scale">d(objective)/d(loss of a token).</param>
public readonly record struct PolicyLossSettings(float Temperature, float Clip, float Scale);

/// <summary>Numbers of a preference loss.</summary>
/// <param name="Kind">Its shape.</param>
/// <param name="Beta">Strength of the tie to the reference.</param>
/// <param name="LabelSmoothing">Share of labels taken to be wrong; not used by IPO.</param>
/// <param name="Scale">d(objective)/d(loss of a pair).</param>
public readonly record struct DpoSettings(DpoKind Kind, float Beta, float LabelSmoothing, float Scale);

/// <summary>Numbers of Quark's loss.</summary>
/// <param name="Temperature">Divides both logits.</param>
/// <param name="Vocabulary">Columns of the original vocabulary, without reward tokens.</param>
/// <param name="KlCoefficient">Weight of the KL.</param>
/// <param name="EntropyCoefficient">Weight of the entropy.</param>
/// <param name="Scale">d(objective)/d(loss of a token).</param>
public readonly record struct QuarkSettings(float Temperature, int Vocabulary, float KlCoefficient, float EntropyCoefficient, float Scale);
