// Drawing tokens from logits, and log-probabilities. No sort: a filter's threshold is found by radix selection over the
// bits of the logits, eleven at a time, counting tokens (top-k) or adding up their mass (top-p).

constexpr int kBlock = 256;

// Order-preserving: a < b as floats exactly when order_of(a) < order_of(b); -0 counts as 0.
FARM_INLINE uint32_t order_of(float value) {
    uint32_t bits = bits_of(value + 0.0f);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static float maximum_of(const float* x, int n) {
    VF m = vf_set1(-INFINITY);
    int i = 0;
    for (; i + 16 <= n; i += 16) m = vf_max(m, vf_load(x + i));
    if (i < n) m = vf_max(m, vf_load_partial(x + i, n - i, -INFINITY));
    return vf_hmax(m);
}

struct SoftmaxSums {
    double mass;      // sum of exp(z - max)
    double weighted;  // sum of exp(z - max) * (z - max), if asked
};

// z = x * scale - shift with shift chosen as the maximum of z; optionally keeps exp(z).
template <bool Weighted>
static SoftmaxSums softmax_sums(const float* x, int n, float scale, float maximum, float* keep) {
    SoftmaxSums sums = {0.0, 0.0};
    VF vscale = vf_set1(scale), shift = vf_set1(maximum);
    for (int begin = 0; begin < n; begin += kBlock) {
        VF mass = vf_zero(), weighted = vf_zero();
        int end = imin(begin + kBlock, n);
        for (int i = begin; i < end; i += 16) {
            int lanes = imin(16, end - i);
            VF z = lanes == 16 ? vf_load(x + i) : vf_load_partial(x + i, lanes, -INFINITY);
            z = vf_mul(vf_sub(z, shift), vscale);
            VF e = vf_exp(z);
            mass = vf_add(mass, e);
            // exp has become 0 long before z * exp would overflow; the clamp keeps -inf * 0 out.
            if (Weighted) weighted = vf_fma(e, vf_max(z, vf_set1(-1e4f)), weighted);
            if (keep != nullptr) {
                if (lanes == 16)
                    vf_store(keep + i, e);
                else
                    vf_store_partial(keep + i, e, lanes);
            }
        }
        sums.mass += vf_hsum(mass);
        if (Weighted) sums.weighted += vf_hsum(weighted);
    }
    return sums;
}

struct Threshold {
    uint32_t key;  // keep every token of a larger key,
    int ties;      // and so many of the tokens of this key, the lowest ids first
};

// The smallest set of largest keys whose total reaches `target`; a token counts 1 when mass is NULL, else its mass.
// Tokens of mass 0 are out.
static Threshold select_largest(const float* z, const float* e, bool by_mass, double target, int n) {
    constexpr int kBins = 2048;
    const int shifts[3] = {21, 10, 0};
    uint32_t prefix = 0, mask = 0;
    double reached = 0.0;
    for (int pass = 0; pass < 3; pass++) {
        double bins[kBins];
        std::memset(bins, 0, sizeof(bins));
        uint32_t bin_mask = pass == 2 ? 1023 : 2047;
        for (int i = 0; i < n; i++) {
            if (e[i] <= 0.0f) continue;
            uint32_t key = order_of(z[i]);
            if ((key & mask) == prefix)
                bins[(key >> shifts[pass]) & bin_mask] += by_mass ? static_cast<double>(e[i]) : 1.0;
        }
        int bin = static_cast<int>(bin_mask), last = -1;
        for (; bin >= 0; bin--) {
            if (bins[bin] <= 0.0) continue;
            last = bin;
            if (reached + bins[bin] >= target) break;
            reached += bins[bin];
        }
        if (bin < 0) {
            // Rounding left the target a hair above the total: the last bin closes the set.
            bin = last < 0 ? 0 : last;
            reached -= bins[bin];
        }
        prefix |= static_cast<uint32_t>(bin) << shifts[pass];
        mask |= bin_mask << shifts[pass];
    }
    double each = 1.0;
    if (by_mass)
        for (int i = 0; i < n; i++)
            if (e[i] > 0.0f && order_of(z[i]) == prefix) {
                each = e[i];
                break;
            }
    double ties = std::ceil((target - reached) / each);
    return {prefix, ties < 1.0 ? 1 : ties > n ? n : static_cast<int>(ties)};
}

static void apply_threshold(const float* z, float* e, Threshold threshold, int n) {
    int ties = threshold.ties;
    for (int i = 0; i < n; i++) {
        uint32_t key = order_of(z[i]);
        if (key > threshold.key) continue;
        if (key == threshold.key && e[i] > 0.0f && ties > 0) {
            ties--;
            continue;
        }
        e[i] = 0.0f;
    }
}

FARM_INLINE double mass_of(const float* e, int n) {
    VF sum = vf_zero();
    int i = 0;
    for (; i + 16 <= n; i += 16) sum = vf_add(sum, vf_load(e + i));
    if (i < n) sum = vf_add(sum, vf_load_partial(e + i, n - i, 0.0f));
    return vf_hsum(sum);
}

// First token whose cumulative mass exceeds u * total.
static int draw(const float* e, int n, double u) {
    double total = 0.0;
    for (int b = 0; b < n; b += kBlock) total += mass_of(e + b, imin(kBlock, n - b));
    double target = u * total, reached = 0.0;
    int last = 0;
    for (int b = 0; b < n; b += kBlock) {
        int count = imin(kBlock, n - b);
        double mass = mass_of(e + b, count);
        if (mass <= 0.0) continue;
        if (reached + mass > target) {
            double inside = reached;
            for (int i = 0; i < count; i++) {
                if (e[b + i] <= 0.0f) continue;
                last = b + i;
                inside += e[b + i];
                if (inside > target) return last;
            }
            return last;
        }
        for (int i = count - 1; i >= 0; i--)
            if (e[b + i] > 0.0f) {
                last = b + i;
                break;
            }
        reached += mass;
    }
    return last;
}

// Philox4x32-10; see Farm.Core.Philox.
static double philox_uniform(uint64_t seed, uint32_t c0, uint32_t c1, uint32_t c2) {
    uint32_t c3 = 0, k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = 0xD2511F53ull * c0, p1 = 0xCD9E8D57ull * c2;
        uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0, n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
        c1 = static_cast<uint32_t>(p1);
        c3 = static_cast<uint32_t>(p0);
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return static_cast<double>(((static_cast<uint64_t>(c0) << 32) | c1) >> 11) * (1.0 / 9007199254740992.0);
}

static int argmax(const float* z, int n) {
    float maximum = maximum_of(z, n);
    for (int i = 0; i < n; i++)
        if (z[i] == maximum) return i;
    return 0;
}

static void sample_row(const farm_sample_args& a, int row, float* scratch) {
    int n = a.vocabulary, words = (n + 31) / 32;
    const float* raw = a.logits + static_cast<int64_t>(row) * a.logits_stride;
    int32_t* seen = a.seen ? a.seen + static_cast<int64_t>(row) * words : nullptr;
    const float* z = raw;
    float* e = scratch;
    if (seen != nullptr && a.repetition_penalty != 1.0f) {
        float* penalised = scratch + round_up(n, 16);
        std::memcpy(penalised, raw, sizeof(float) * n);
        for (int word = 0; word < words; word++) {
            uint32_t bits = static_cast<uint32_t>(seen[word]);
            // Bits beyond the vocabulary are no tokens; their places are past this row's scratch.
            if (n - word * 32 < 32) bits &= (1u << (n - word * 32)) - 1;
            for (; bits != 0; bits &= bits - 1) {
                float& value = penalised[word * 32 + __builtin_ctz(bits)];
                value = value > 0.0f ? value / a.repetition_penalty : value * a.repetition_penalty;
            }
        }
        z = penalised;
    }

    float raw_maximum = maximum_of(raw, n);
    double raw_mass = 0.0;
    int token;
    if (a.temperature == 0.0f) {
        token = argmax(z, n);
    } else {
        double mass =
            softmax_sums<false>(z, n, 1.0f / a.temperature, z == raw ? raw_maximum : maximum_of(z, n), e).mass;
        if (z == raw && a.temperature == 1.0f) raw_mass = mass;
        if (a.top_k > 0 && a.top_k < n) {
            apply_threshold(z, e, select_largest(z, e, false, a.top_k, n), n);
            if (a.top_p < 1.0f) {
                mass = 0.0;
                for (int i = 0; i < n; i++) mass += e[i];
            }
        }
        if (a.top_p < 1.0f) apply_threshold(z, e, select_largest(z, e, true, a.top_p * mass, n), n);
        if (a.min_p > 0.0f)
            for (int i = 0; i < n; i++) e[i] = e[i] >= a.min_p ? e[i] : 0.0f;
        const int32_t* key = a.keys + row * 3;
        token = draw(e, n,
                     philox_uniform(a.seed, static_cast<uint32_t>(key[0]), static_cast<uint32_t>(key[1]),
                                    static_cast<uint32_t>(key[2])));
    }
    if (raw_mass == 0.0) raw_mass = softmax_sums<false>(raw, n, 1.0f, raw_maximum, nullptr).mass;
    a.tokens[row] = token;
    a.logprobs[row] = static_cast<float>(static_cast<double>(raw[token]) - raw_maximum - std::log(raw_mass));
    if (seen != nullptr) seen[token / 32] |= static_cast<int32_t>(1u << (token % 32));
}

static int sample(farm_context* context, const farm_sample_args* args) {
    int64_t per_thread = 2 * round_up(args->vocabulary, 16);
    float* scratch = static_cast<float*>(context->threads.reserve(per_thread * 4 * context->pool.threads()));
    if (scratch == nullptr) return FARM_E_MEMORY;
    context->pool.parallel(args->rows,
                           [&](int row, int thread) { sample_row(*args, row, scratch + thread * per_thread); });
    return FARM_OK;
}

static int logprob_gather(farm_context* context, const float* logits, int logits_stride, int rows, int vocabulary,
                          const int32_t* ids, float temperature, float* logprobs, float* entropy) {
    float scale = 1.0f / temperature;
    context->pool.parallel(rows, [&](int row, int) {
        const float* x = logits + static_cast<int64_t>(row) * logits_stride;
        float maximum = maximum_of(x, vocabulary);
        SoftmaxSums sums = entropy ? softmax_sums<true>(x, vocabulary, scale, maximum, nullptr)
                                   : softmax_sums<false>(x, vocabulary, scale, maximum, nullptr);
        double log_mass = std::log(sums.mass);
        logprobs[row] = static_cast<float>((static_cast<double>(x[ids[row]]) - maximum) / temperature - log_mass);
        // H = log Z - sum p (z - max).
        if (entropy) entropy[row] = static_cast<float>(log_mass - sums.weighted / sums.mass);
    });
    return FARM_OK;
}
