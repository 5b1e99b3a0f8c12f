// Quark's token loss (Lu et al., 2022; AlpacaFarm): negative log-likelihood over all columns, exact KL to a reference
// and entropy over the columns of the original vocabulary renormalised, and its gradient. A block does a row, in
// float64: three walks over both rows, the later ones from cache.
//
// Bytes: 8 an element from memory (16 more from cache), 4 for the gradient. Shared memory: 448 bytes.
#include "train_f64.cuh"

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;

FARM_KERNEL(kThreads)
quark_loss(const float* logits, const float* __restrict__ reference, const int* __restrict__ ids,
           float* __restrict__ losses, float* __restrict__ logprobs, float* __restrict__ kls,
           float* __restrict__ entropies, float* gradient, int logits_stride, int reference_stride, int gradient_stride,
           int columns, int own, float temperature_of, float kl_coefficient_of, float entropy_coefficient_of,
           float scale_of) {
    static __shared__ float tops[3][kWarps];
    static __shared__ double sums[5][kWarps];
    s64 t = block_x();
    const float *z = logits + t * logits_stride, *y = reference + t * reference_stride;
    float* to = gradient == nullptr ? nullptr : gradient + t * gradient_stride;
    int id = ids[t];
    if (id < 0) {
        if (thread_x() == 0) losses[t] = logprobs[t] = kls[t] = entropies[t] = 0.0f;
        if (to != nullptr)
            for (int i = thread_x(); i < columns; i += kThreads) to[i] = 0.0f;
        return;
    }
    double temperature = static_cast<double>(temperature_of), inverse = 1.0 / temperature;
    float all_top = -__builtin_inff(), own_top = all_top, their_top = all_top;
    for (int i = thread_x(); i < columns; i += kThreads) {
        all_top = max_of(all_top, z[i]);
        if (i < own) {
            own_top = max_of(own_top, z[i]);
            their_top = max_of(their_top, y[i]);
        }
    }
    double all_max = static_cast<double>(block_max<kThreads>(all_top, tops[0])) * inverse;
    double own_max = static_cast<double>(block_max<kThreads>(own_top, tops[1])) * inverse;
    double their_max = static_cast<double>(block_max<kThreads>(their_top, tops[2])) * inverse;
    double all = 0.0, mine = 0.0, theirs = 0.0;
    for (int i = thread_x(); i < columns; i += kThreads) {
        double x = static_cast<double>(z[i]) * inverse;
        all += exp_f64(x - all_max);
        if (i < own) {
            mine += exp_f64(x - own_max);
            theirs += exp_f64(static_cast<double>(y[i]) * inverse - their_max);
        }
    }
    all = log_f64(block_sum<kThreads>(all, sums[0])) + all_max;
    mine = log_f64(block_sum<kThreads>(mine, sums[1])) + own_max;
    theirs = log_f64(block_sum<kThreads>(theirs, sums[2])) + their_max;
    double kl = 0.0, entropy = 0.0;
    for (int i = thread_x(); i < own; i += kThreads) {
        double log_q = static_cast<double>(z[i]) * inverse - mine;
        double log_r = static_cast<double>(y[i]) * inverse - theirs, q = exp_f64(log_q);
        if (q > 0.0) {
            kl = fma(q, log_q - log_r, kl);
            entropy = fma(-q, log_q, entropy);
        }
    }
    kl = block_sum<kThreads>(kl, sums[3]);
    entropy = block_sum<kThreads>(entropy, sums[4]);
    double kl_coefficient = static_cast<double>(kl_coefficient_of);
    double entropy_coefficient = static_cast<double>(entropy_coefficient_of);
    if (thread_x() == 0) {
        double logprob = static_cast<double>(z[id]) * inverse - all;
        losses[t] = static_cast<float>(-logprob + kl_coefficient * kl - entropy_coefficient * entropy);
        logprobs[t] = static_cast<float>(logprob);
        kls[t] = static_cast<float>(kl);
        entropies[t] = static_cast<float>(entropy);
    }
    if (to == nullptr) return;
    // The gradient may lie where the logits do: the id's logit has been read by then.
    block_barrier();
    double scale = static_cast<double>(scale_of) * inverse;
    for (int i = thread_x(); i < columns; i += kThreads) {
        double x = static_cast<double>(z[i]) * inverse, slope = exp_f64(x - all) - (i == id ? 1.0 : 0.0);
        if (i < own) {
            double log_q = x - mine, q = exp_f64(log_q), log_r = static_cast<double>(y[i]) * inverse - theirs;
            if (q > 0.0) slope += q * (kl_coefficient * (log_q - log_r - kl) + entropy_coefficient * (log_q + entropy));
        }
        to[i] = static_cast<float>(scale * slope);
    }
}
