// Learning from feedback: what happens between log-probabilities, rewards and gradients. Vectors are as long as a batch
// has tokens, thousands of times less than a pass over the model: the arithmetic is float64, and no kernel matters for
// time.
#include "train_f64.cuh"

constexpr int kThreads = 256;

// Generalised advantage estimation (Schulman et al., 2016, eq. 16), backwards over a row by a warp, 32 tokens at a
// time: advantage_t = delta_t + c advantage_{t+1}, c = gamma lambda, is a scan over the lanes, of which lane 0 is the
// latest token. Bytes: 16 a token. Grid: blocks of 8 rows.
FARM_KERNEL(kThreads)
gae(const float* __restrict__ rewards, const float* __restrict__ values, const int* __restrict__ starts,
    float* __restrict__ advantages, float* __restrict__ returns, int rows, float gamma, float lambda) {
    int row = block_x() * (kThreads / 32) + warp_id(), lane = lane_id();
    if (row >= rows) return;
    int begin = starts[row], end = starts[row + 1];
    double discount = static_cast<double>(gamma), decay = discount * static_cast<double>(lambda);
    double weight = 1.0, power = decay;  // decay ^ (lane + 1)
    FARM_UNROLL
    for (int bit = 0; bit < 6; bit++) {
        if (((lane + 1) >> bit) & 1) weight *= power;
        power *= power;
    }
    double carry = 0.0;
    FARM_NO_UNROLL
    for (int last = end - 1; last >= begin; last -= 32) {
        // Lanes before the row read its first token and count nothing: none is apart at the shuffles.
        int t = last - lane, at = max_of(t, begin);
        bool mine = t >= begin;
        double value = static_cast<double>(values[at]), reward = static_cast<double>(rewards[at]);
        double later = static_cast<double>(values[min_of(at + 1, end - 1)]);
        double v = mine ? reward + (t + 1 < end ? discount * later : 0.0) - value : 0.0;
        double step = decay;
        FARM_UNROLL
        for (int d = 1; d < 32; d *= 2) {
            double other = shuffle(v, lane >= d ? lane - d : lane);
            v = lane >= d ? fma(step, other, v) : v;
            step *= step;
        }
        v = fma(weight, carry, v);
        carry = shuffle(v, 31);
        if (mine) {
            advantages[t] = static_cast<float>(v);
            returns[t] = static_cast<float>(v + value);
        }
    }
}

// Mean, then deviation, then the result: three passes of one block. Bytes: 16 a token.
constexpr int kWhitenThreads = 1024;

FARM_KERNEL(kWhitenThreads) whiten(const float* input, float* output, int count, int shift_mean) {
    static __shared__ double scratch[2][kWhitenThreads / 32];
    double sum = 0.0, squares = 0.0, size = static_cast<double>(count);
    for (int i = thread_x(); i < count; i += kWhitenThreads) sum += static_cast<double>(input[i]);
    double mean = block_sum<kWhitenThreads>(sum, scratch[0]) / size;
    for (int i = thread_x(); i < count; i += kWhitenThreads) {
        double d = static_cast<double>(input[i]) - mean;
        squares = fma(d, d, squares);
    }
    double variance = block_sum<kWhitenThreads>(squares, scratch[1]) / size;
    double factor = 1.0 / (square_root(variance) + 1e-8), back = shift_mean ? 0.0 : mean;
    for (int i = thread_x(); i < count; i += kWhitenThreads)
        output[i] = static_cast<float>((static_cast<double>(input[i]) - mean) * factor + back);
}

// Estimators of KL from one sample (Schulman, 2020): 0 is d, 1 max(d, 0), 2 e^-d - 1 + d. Near 0 the last is its
// series, as its terms cancel. Bytes: 12 a token.
FARM_KERNEL(kThreads)
token_kl(const float* __restrict__ logprobs, const float* __restrict__ reference, float* __restrict__ kl, int count,
         int estimator) {
    int i = block_x() * kThreads + thread_x();
    if (i >= count) return;
    double d = static_cast<double>(logprobs[i]) - static_cast<double>(reference[i]);
    if (estimator == 1) d = d > 0.0 ? d : 0.0;
    if (estimator == 2) {
        double small = d * d * (1.0 / 2 - d * (1.0 / 6 - d * (1.0 / 24 - d * (1.0 / 120))));
        d = d < 1e-3 && d > -1e-3 ? small : expm1_f64(-d) + d;
    }
    kl[i] = static_cast<float>(d);
}

// PPO's clipped value loss. At a tie of the squares with the clamp active half of the gradient passes, as a subgradient
// of the maximum. Bytes: 24 a token.
FARM_KERNEL(kThreads)
value_loss(const float* __restrict__ values, const float* __restrict__ old_values, const float* __restrict__ returns,
           float* __restrict__ losses, float* __restrict__ clipped, float* __restrict__ gradients, int count,
           float clip, float scale) {
    int i = block_x() * kThreads + thread_x();
    if (i >= count) return;
    double value = static_cast<double>(values[i]), old = static_cast<double>(old_values[i]);
    double target = static_cast<double>(returns[i]), width = static_cast<double>(clip);
    double bounded = clamp_f64(value, old - width, old + width);
    double plain = (value - target) * (value - target), other = (bounded - target) * (bounded - target);
    losses[i] = static_cast<float>(0.5 * (other > plain ? other : plain));
    clipped[i] = other > plain ? 1.0f : 0.0f;
    double share = other > plain ? 0.0 : other == plain && bounded != value ? 0.5 : 1.0;
    gradients[i] = static_cast<float>(static_cast<double>(scale) * share * (value - target));
}

// Preference losses (Rafailov et al., 2023, eq. 7; Azar et al., 2023, eq. 17). Bytes: 24 a pair.
FARM_KERNEL(kThreads)
dpo_loss(const float* __restrict__ policy_chosen, const float* __restrict__ policy_rejected,
         const float* __restrict__ reference_chosen, const float* __restrict__ reference_rejected,
         float* __restrict__ losses, float* __restrict__ gradients, int count, int ipo, float beta_of,
         float smoothing_of, float scale) {
    int i = block_x() * kThreads + thread_x();
    if (i >= count) return;
    double beta = static_cast<double>(beta_of), smoothing = static_cast<double>(smoothing_of);
    double h = (static_cast<double>(policy_chosen[i]) - static_cast<double>(reference_chosen[i])) -
               (static_cast<double>(policy_rejected[i]) - static_cast<double>(reference_rejected[i]));
    double off = h - 1.0 / (2.0 * beta), x = beta * h;
    double loss = ipo ? off * off : (1.0 - smoothing) * softplus_f64(-x) + smoothing * softplus_f64(x);
    double slope = ipo ? 2.0 * off : beta * (smoothing * logistic_f64(x) - (1.0 - smoothing) * logistic_f64(-x));
    losses[i] = static_cast<float>(loss);
    gradients[i] = static_cast<float>(static_cast<double>(scale) * slope);
}

// Bradley-Terry on pairs of rewards; in this form the logarithm keeps its digits where softplus and choice * logit
// nearly cancel. Bytes: 24 a pair.
FARM_KERNEL(kThreads)
pairwise_loss(const float* __restrict__ rewards, const int* __restrict__ choices, float* __restrict__ losses,
              float* __restrict__ gradients, int rewards_stride, int gradients_stride, int pairs, float scale) {
    int p = block_x() * kThreads + thread_x();
    if (p >= pairs) return;
    const float* r = rewards + static_cast<s64>(p) * rewards_stride;
    double logit = static_cast<double>(r[1]) - static_cast<double>(r[0]);
    bool second = choices[p] == 1;
    double toward = second ? -logit : logit;
    double slope = static_cast<double>(scale) * (second ? -logistic_f64(toward) : logistic_f64(toward));
    losses[p] = static_cast<float>(softplus_f64(toward));
    float* to = gradients + static_cast<s64>(p) * gradients_stride;
    to[0] = -static_cast<float>(slope);
    to[1] = static_cast<float>(slope);
}

// Log-probabilities of given tokens from the walk over the vocabulary (train_cross_entropy.cu), their entropies where
// asked, PPO's clipped surrogate (Schulman et al., 2017, eq. 7) where old log-probabilities are given, and what the
// second walk needs: d logprob / d z = [id] - softmax, z the logits over the temperature. A thread does a row.
FARM_KERNEL(kThreads)
policy_finish(const double* __restrict__ state, const float* __restrict__ slopes,
              const float* __restrict__ old_logprobs, const float* __restrict__ advantages,
              float* __restrict__ logprobs, float* __restrict__ entropies, float* __restrict__ losses,
              float* __restrict__ clipped, float4* __restrict__ factors, int rows, float temperature, float clip,
              float scale) {
    int t = block_x() * kThreads + thread_x();
    if (t >= rows) return;
    const double* from = state + static_cast<s64>(t) * 4;
    double log_mass = log_f64(from[1]);
    float logprob = static_cast<float>(from[3] - from[0] - log_mass);
    logprobs[t] = logprob;
    if (entropies != nullptr) entropies[t] = static_cast<float>(log_mass - from[2] / from[1]);
    double slope = slopes != nullptr ? static_cast<double>(slopes[t]) : 0.0;
    if (old_logprobs != nullptr) {
        double advantage = static_cast<double>(advantages[t]), width = static_cast<double>(clip);
        // The ratio is that of the log-probabilities as they are stored: 1 exactly for unchanged weights.
        double ratio = exp_f64(static_cast<double>(logprob) - static_cast<double>(old_logprobs[t]));
        double plain = -advantage * ratio, bounded = -advantage * clamp_f64(ratio, 1.0 - width, 1.0 + width);
        losses[t] = static_cast<float>(bounded > plain ? bounded : plain);
        clipped[t] = bounded > plain ? 1.0f : 0.0f;
        slope = bounded > plain ? 0.0 : static_cast<double>(scale) * plain;
    }
    double coefficient = -slope / static_cast<double>(temperature);
    factors[t] = float4{static_cast<float>(from[0]), static_cast<float>(coefficient / from[1]),
                        static_cast<float>(coefficient), 0.0f};
}
