// Learning from feedback: what happens between log-probabilities, rewards and gradients. Vectors are as long as a batch
// has tokens, thousands of times less than a pass over the model, so the arithmetic is float64.

constexpr int64_t kTokensPerTask = 4096;

// body(begin, end) over blocks of n elements.
template <class Body>
static void over_tokens(farm_context* context, int64_t n, const Body& body) {
    context->pool.parallel(static_cast<int>((n + kTokensPerTask - 1) / kTokensPerTask), [&](int task, int) {
        int64_t begin = task * kTokensPerTask;
        body(begin, begin + kTokensPerTask < n ? begin + kTokensPerTask : n);
    });
}

static double clamp_to(double x, double low, double high) {
    return x < low ? low : x > high ? high : x;
}

// log(1 + e^x) without overflow.
static double softplus(double x) {
    return (x > 0.0 ? x : 0.0) + std::log1p(std::exp(-std::fabs(x)));
}

static double logistic(double x) {
    double e = std::exp(-std::fabs(x));
    return x >= 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
}

static int gae(farm_context* context, const float* rewards, const float* values, const int32_t* starts, int rows,
               float gamma, float lambda, float* advantages, float* returns) {
    double discount = gamma, decay = static_cast<double>(gamma) * lambda;
    context->pool.parallel(rows, [&](int row, int) {
        double next_value = 0.0, advantage = 0.0;
        for (int t = starts[row + 1] - 1; t >= starts[row]; t--) {
            advantage = rewards[t] + discount * next_value - values[t] + decay * advantage;
            next_value = values[t];
            advantages[t] = static_cast<float>(advantage);
            returns[t] = static_cast<float>(advantage + values[t]);
        }
    });
    return FARM_OK;
}

// Two passes in order, so that the deviation of nearly equal numbers keeps its digits.
static int whiten(farm_context*, const float* input, int64_t n, int shift_mean, float* output) {
    if (n == 0) return FARM_OK;
    double sum = 0.0, squares = 0.0;
    for (int64_t i = 0; i < n; i++) sum += input[i];
    double mean = sum / static_cast<double>(n);
    for (int64_t i = 0; i < n; i++) squares += (input[i] - mean) * (input[i] - mean);
    double factor = 1.0 / (std::sqrt(squares / static_cast<double>(n)) + 1e-8), back = shift_mean ? 0.0 : mean;
    for (int64_t i = 0; i < n; i++) output[i] = static_cast<float>((input[i] - mean) * factor + back);
    return FARM_OK;
}

static int token_kl(farm_context* context, const float* logprobs, const float* reference_logprobs, int64_t n,
                    int estimator, float* kl) {
    over_tokens(context, n, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) {
            double d = static_cast<double>(logprobs[i]) - reference_logprobs[i];
            if (estimator == FARM_KL_CLAMPED) d = d > 0.0 ? d : 0.0;
            if (estimator == FARM_KL_K3) d = std::expm1(-d) + d;
            kl[i] = static_cast<float>(d);
        }
    });
    return FARM_OK;
}

static int linear_policy(farm_context* context, const farm_policy_args* args) {
    const farm_policy_args& a = *args;
    int vocabulary = a.vocabulary;
    bool ppo = a.old_logprobs != nullptr;
    bool gradients = (ppo || a.gradients != nullptr) && (a.hidden_gradient != nullptr || a.weight_gradient != nullptr);
    float inverse = 1.0f / a.temperature;
    OutputLayer layer = {a.hidden,
                         a.weight,
                         gradients ? a.hidden_gradient : nullptr,
                         gradients ? a.weight_gradient : nullptr,
                         a.rows,
                         a.columns,
                         a.vocabulary,
                         a.hidden_stride,
                         a.hidden_gradient_stride,
                         a.weight_gradient_stride};
    return through_vocabulary(context, layer, [&](int t, float* z) {
        int id = a.ids[t];
        float maximum = maximum_of(z, vocabulary);
        double target = (static_cast<double>(z[id]) - maximum) / a.temperature;
        float* keep = gradients ? z : nullptr;
        SoftmaxSums sums = a.entropies != nullptr ? softmax_sums<true>(z, vocabulary, inverse, maximum, keep)
                                                  : softmax_sums<false>(z, vocabulary, inverse, maximum, keep);
        double log_mass = std::log(sums.mass);
        float logprob = static_cast<float>(target - log_mass);
        a.logprobs[t] = logprob;
        if (a.entropies != nullptr) a.entropies[t] = static_cast<float>(log_mass - sums.weighted / sums.mass);
        double slope = a.gradients != nullptr ? a.gradients[t] : 0.0;
        if (ppo) {
            double advantage = a.advantages[t];
            double ratio = std::exp(static_cast<double>(logprob) - a.old_logprobs[t]);
            double plain = -advantage * ratio;
            double bounded =
                -advantage * clamp_to(ratio, 1.0 - static_cast<double>(a.clip), 1.0 + static_cast<double>(a.clip));
            a.losses[t] = static_cast<float>(bounded > plain ? bounded : plain);
            a.clipped[t] = bounded > plain ? 1.0f : 0.0f;
            slope = bounded > plain ? 0.0 : a.scale * plain;
        }
        if (!gradients) return;
        // d logprob / d z = ([i = id] - p) / temperature.
        slope /= a.temperature;
        float factor = static_cast<float>(-slope / sums.mass);
        for (int i = 0; i < vocabulary; i++) z[i] *= factor;
        z[id] += static_cast<float>(slope);
    });
}

static int value_loss(farm_context* context, const float* values, const float* old_values, const float* returns,
                      int64_t n, float clip, float scale, float* losses, float* clipped, float* gradients) {
    over_tokens(context, n, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) {
            double value = values[i], old = old_values[i], target = returns[i];
            double bounded = clamp_to(value, old - clip, old + clip);
            double plain = (value - target) * (value - target), other = (bounded - target) * (bounded - target);
            losses[i] = static_cast<float>(0.5 * (other > plain ? other : plain));
            clipped[i] = other > plain ? 1.0f : 0.0f;
            // Where the two are equal although the clamp is active, half of the gradient passes (as a subgradient of
            // the maximum).
            double share = other > plain ? 0.0 : other == plain && bounded != value ? 0.5 : 1.0;
            gradients[i] = static_cast<float>(scale * share * (value - target));
        }
    });
    return FARM_OK;
}

static int dpo_loss(farm_context* context, const farm_dpo_args* args) {
    const farm_dpo_args& a = *args;
    double beta = a.beta, smoothing = a.label_smoothing;
    over_tokens(context, a.n, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) {
            double h = (static_cast<double>(a.policy_chosen[i]) - a.reference_chosen[i]) -
                       (static_cast<double>(a.policy_rejected[i]) - a.reference_rejected[i]);
            double loss, slope;
            if (a.kind == FARM_DPO_IPO) {
                double off = h - 1.0 / (2.0 * beta);
                loss = off * off;
                slope = 2.0 * off;
            } else {
                double x = beta * h;
                loss = (1.0 - smoothing) * softplus(-x) + smoothing * softplus(x);
                slope = beta * (smoothing * logistic(x) - (1.0 - smoothing) * logistic(-x));
            }
            a.losses[i] = static_cast<float>(loss);
            a.gradients[i] = static_cast<float>(a.scale * slope);
        }
    });
    return FARM_OK;
}

static int pairwise_loss(farm_context* context, const float* rewards, int rewards_stride, const int32_t* choices,
                         int pairs, float scale, float* losses, float* gradients, int gradients_stride) {
    over_tokens(context, pairs, [&](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; p++) {
            const float* r = rewards + p * rewards_stride;
            double logit = static_cast<double>(r[1]) - r[0];
            // In this form the logarithm keeps its digits when softplus and choice * logit nearly cancel.
            losses[p] = static_cast<float>(choices[p] == 1 ? softplus(-logit) : softplus(logit));
            float slope = static_cast<float>(scale * (choices[p] == 1 ? -logistic(-logit) : logistic(logit)));
            gradients[p * gradients_stride] = -slope;
            gradients[p * gradients_stride + 1] = slope;
        }
    });
    return FARM_OK;
}

static int quark_loss(farm_context* context, const farm_quark_args* args) {
    const farm_quark_args& a = *args;
    int n = a.columns, own = a.vocabulary;
    float inverse = 1.0f / a.temperature;
    context->pool.parallel(a.rows, [&](int t, int) {
        const float* z = a.logits + static_cast<int64_t>(t) * a.logits_stride;
        const float* y = a.reference_logits + static_cast<int64_t>(t) * a.reference_stride;
        float* to = a.gradient == nullptr ? nullptr : a.gradient + static_cast<int64_t>(t) * a.gradient_stride;
        int id = a.ids[t];
        if (id < 0) {
            a.losses[t] = a.logprobs[t] = a.kl[t] = a.entropies[t] = 0.0f;
            if (to != nullptr) std::memset(to, 0, sizeof(float) * n);
            return;
        }
        double temperature = a.temperature;
        float all_max = maximum_of(z, n), own_max = maximum_of(z, own), reference_max = maximum_of(y, own);
        double all = std::log(softmax_sums<false>(z, n, inverse, all_max, nullptr).mass) + all_max / temperature;
        double mine = std::log(softmax_sums<false>(z, own, inverse, own_max, nullptr).mass) + own_max / temperature;
        double theirs =
            std::log(softmax_sums<false>(y, own, inverse, reference_max, nullptr).mass) + reference_max / temperature;
        double logprob = z[id] / temperature - all, kl = 0.0, entropy = 0.0;
        for (int i = 0; i < own; i++) {
            double log_q = z[i] / temperature - mine, log_r = y[i] / temperature - theirs, q = std::exp(log_q);
            if (q == 0.0) continue;
            kl += q * (log_q - log_r);
            entropy -= q * log_q;
        }
        a.logprobs[t] = static_cast<float>(logprob);
        a.kl[t] = static_cast<float>(kl);
        a.entropies[t] = static_cast<float>(entropy);
        a.losses[t] = static_cast<float>(-logprob + a.kl_coefficient * kl - a.entropy_coefficient * entropy);
        if (to == nullptr) return;
        double scale = a.scale / temperature;
        for (int i = 0; i < n; i++) {
            double log_p = z[i] / temperature, slope = std::exp(log_p - all) - (i == id ? 1.0 : 0.0);
            if (i < own) {
                double log_q = log_p - mine, q = std::exp(log_q);
                if (q > 0.0)
                    slope += q * (a.kl_coefficient * (log_q - (y[i] / temperature - theirs) - kl) +
                                  a.entropy_coefficient * (log_q + entropy));
            }
            to[i] = static_cast<float>(scale * slope);
        }
    });
    return FARM_OK;
}
