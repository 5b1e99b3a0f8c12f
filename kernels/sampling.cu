// Drawing tokens from logits, so that only their ids cross the bus, and log-probabilities.
//
// The definition is that of native/cpu/src/sampling.inl, sums included: exponentials have the same bits, the mass of
// 256 neighbouring tokens is added in float32 by 16 lanes and a butterfly, the blocks' masses in float64 in order. From
// equal logits the token is therefore the CPU's token. A filter's threshold is found without a sort, two bits of the
// ordered logit at a time: 16 passes over the row, of which all but the first few meet few tokens and evaluate few
// exponentials.
//
// A block a row: 512 threads, or a warp for vocabularies that one warp passes through quickly.
//   bytes   greedy and temperature: the row twice; each filter another 16 times, from L2 (128 KB a row at 32,000
//   tokens) shared  a float for every 256 tokens, 256 floats, reductions registers (expected)  about 60
// What one thread would do alone is done by all lanes of warp 0 alike: no warp is divided where it waits.
#include "farm_device.cuh"

constexpr int kBlock = 256;
constexpr float kLeastExponent = -87.33f;  // below it the exponential is 0

struct Threshold {
    u32 key;  // every token of a larger key is kept,
    int cut;  // and those of this key below this id
};

// a < b as floats exactly when order_of(a) < order_of(b); -0 counts as 0.
FARM_DEVICE u32 order_of(float value) {
    u32 bits = bits_of(value + 0.0f);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// f(i) for every i below `count`, the block's threads side by side. The loop itself is the same for all lanes, so that
// they are together after it.
template <int T, class F>
FARM_DEVICE void each(int count, F f) {
    FARM_NO_UNROLL
    for (int first = 0; first < count; first += T) {
        int i = first + thread_x();
        f(min_of(i, count - 1), i < count);
    }
}

// Both sides are evaluated: no branch that lanes could part at.
template <class... Conditions>
FARM_DEVICE bool all_of(Conditions... conditions) {
    return (static_cast<int>(conditions) & ...) != 0;
}

struct Row {
    const float* logits;
    const int* seen;
    bool penalised;  // `seen` is there and the penalty is not 1
    float penalty, scale, maximum;
    int vocabulary;

    __device__ __attribute__((always_inline)) float z(int i) const {
        float x = logits[i];
        if (penalised) {
            bool before = (static_cast<u32>(seen[i >> 5]) >> (i & 31) & 1u) != 0;
            float divided = computed(x / penalty), multiplied = x * penalty;
            x = before ? (x > 0.0f ? divided : multiplied) : x;
        }
        return x;
    }
    __device__ __attribute__((always_inline)) float exponent(float x) const { return (x - maximum) * scale; }
};

// What the filters leave of a row; `top_k` and `top_p` are {0, 0} while they have not been found.
struct Kept {
    Threshold top_k, top_p;
    float min_p;

    static __device__ __attribute__((always_inline)) bool passes(Threshold t, u32 key, int i) {
        return all_of(key >= t.key, static_cast<int>(key > t.key) + static_cast<int>(i < t.cut) > 0);
    }
    __device__ __attribute__((always_inline)) float mass(const Row& row, int i) const {
        float x = row.z(i);
        u32 key = order_of(x);
        float e = computed(exp_exact(row.exponent(x)));
        return all_of(passes(top_k, key, i), passes(top_p, key, i), e >= min_p) ? e : 0.0f;
    }
};

// Sums of blocks of 256, and their sum in order.
template <int T>
FARM_DEVICE double masses(const Row& row, const Kept& kept, float* blocks, double* result) {
    int count = ceil_div(row.vocabulary, kBlock), half = lane_id() / 16, j = lane_id() % 16;
    FARM_NO_UNROLL
    for (int pair = warp_id() * 2; pair < count; pair += T / 16) {
        int b = pair + half;
        float sum = 0.0f;
        FARM_NO_UNROLL
        for (int i = b * kBlock + j; i < (b + 1) * kBlock; i += 16) {
            float mass = kept.mass(row, min_of(i, row.vocabulary - 1));
            sum += i < row.vocabulary ? mass : 0.0f;
        }
        warp_barrier();
        sum = warp_sum<16>(sum);
        if (j == 0 && b < count) blocks[b] = sum;
    }
    block_barrier();
    if (warp_id() == 0) {
        double total = 0.0;
        FARM_NO_UNROLL
        for (int b = 0; b < count; b++) total += static_cast<double>(blocks[b]);
        if (lane_id() == 0) *result = total;
    }
    block_barrier();
    return *result;
}

// The smallest set of largest keys whose total reaches `target`; a token counts 1, or its mass. Tokens of mass 0, and
// those that an earlier filter took, are out.
template <int T>
FARM_DEVICE Threshold select_largest(const Row& row, const Kept& kept, bool by_mass, double target,
                                     double (&scratch)[3][T / 32]) {
    double reached = 0.0;
    u32 prefix = 0;
    FARM_NO_UNROLL
    for (int shift = 30; shift >= 0; shift -= 2) {
        double sum[3] = {0.0, 0.0, 0.0};  // of digits 1, 2, 3
        each<T>(row.vocabulary, [&](int i, bool inside) {
            float x = row.z(i), exponent = row.exponent(x);
            u32 key = order_of(x);
            bool counts = all_of(inside, static_cast<u64>(key ^ prefix) >> (shift + 2) == 0,
                                 Kept::passes(kept.top_k, key, i), exponent >= kLeastExponent);
            if (!any_lane(counts)) return;
            float e = computed(exp_exact(exponent));
            double weight = by_mass ? static_cast<double>(e) : 1.0;
            u32 digit = counts ? key >> shift & 3u : 0u;
            sum[0] += digit == 1 ? weight : 0.0;
            sum[1] += digit == 2 ? weight : 0.0;
            sum[2] += digit == 3 ? weight : 0.0;
        });
        warp_barrier();
        FARM_UNROLL
        for (int d = 0; d < 3; d++) sum[d] = block_sum<T>(sum[d], scratch[d]);
        block_barrier();
        u32 digit = 3;
        bool found = false;
        FARM_UNROLL
        for (int d = 2; d >= 0; d--) {
            if (!found) {
                if (reached + sum[d] >= target) {
                    found = true;
                    digit = static_cast<u32>(d) + 1;
                } else {
                    reached += sum[d];
                }
            }
        }
        prefix |= (found ? digit : 0u) << shift;
    }

    // Of the tokens of that very key, as many as are needed, at least one.
    float each_mass = 0.0f;
    int ties = 0;
    each<T>(row.vocabulary, [&](int i, bool inside) {
        float x = row.z(i);
        bool tie = all_of(inside, order_of(x) == prefix, Kept::passes(kept.top_k, prefix, i));
        if (!any_lane(tie)) return;
        float e = computed(exp_exact(row.exponent(x)));
        each_mass = max_of(each_mass, tie ? e : 0.0f);
        ties += tie ? 1 : 0;
    });
    warp_barrier();
    auto& words = reinterpret_cast<int(&)[T / 32]>(scratch[0]);
    auto& floats = reinterpret_cast<float(&)[T / 32]>(scratch[1]);
    each_mass = block_max<T>(each_mass, floats);
    ties = block_sum<T>(ties, words);
    block_barrier();
    if (ties == 0) return {prefix, row.vocabulary};
    double rest = target - reached, step = by_mass ? static_cast<double>(each_mass) : 1.0;
    if (step * ties <= rest) return {prefix, row.vocabulary};
    int needed = 1;
    if (rest > step)
        needed = min_of(ties, static_cast<int>(static_cast<float>(rest) * fast_reciprocal(static_cast<float>(step))));
    needed = max_of(needed, 1);
    while (needed < ties && step * needed < rest) needed++;
    while (needed > 1 && step * (needed - 1) >= rest) needed--;
    if (needed >= ties) return {prefix, row.vocabulary};

    // The id after the last of them: each thread counts a run of neighbouring ids, then warp 0 walks to the run and in
    // it.
    __shared__ int tie_counts[T];
    __shared__ int cut;
    int run = ceil_div(row.vocabulary, T), count = 0;
    auto is_tie = [&](int i) {
        return all_of(i < row.vocabulary, order_of(row.z(min_of(i, row.vocabulary - 1))) == prefix,
                      Kept::passes(kept.top_k, prefix, i));
    };
    FARM_NO_UNROLL
    for (int i = 0; i < run; i++) count += is_tie(thread_x() * run + i) ? 1 : 0;
    tie_counts[thread_x()] = count;
    block_barrier();
    if (warp_id() == 0) {
        int owner = 0, found = 0;
        FARM_NO_UNROLL
        while (owner < T - 1 && found + tie_counts[owner] < needed) found += tie_counts[owner++];
        int i = owner * run;
        FARM_NO_UNROLL
        for (; found < needed && i < row.vocabulary; i++) found += is_tie(i) ? 1 : 0;
        if (lane_id() == 0) cut = i;
    }
    block_barrier();
    return {prefix, cut};
}

template <int T>
FARM_DEVICE void sample(float* blocks, const float* logits, int stride, int vocabulary, const int* keys, int* tokens,
                        float* logprobs, int* seen, u64 seed, int top_k, float temperature, float top_p, float min_p,
                        float penalty) {
    __shared__ double scratch[3][T / 32];
    __shared__ double result;
    __shared__ float inside[kBlock];
    __shared__ int chosen;
    __shared__ double before;
    int row_index = block_x();
    const float* raw = logits + static_cast<s64>(row_index) * stride;
    int* row_seen = seen + static_cast<s64>(row_index) * ceil_div(vocabulary, 32);
    bool penalised = seen != nullptr && penalty != 1.0f;
    auto& floats = reinterpret_cast<float(&)[T / 32]>(scratch[0]);
    auto& more_floats = reinterpret_cast<float(&)[T / 32]>(scratch[1]);
    auto& words = reinterpret_cast<int(&)[T / 32]>(scratch[2]);

    Row row = {raw, row_seen, penalised, penalty, 1.0f, 0.0f, vocabulary};
    float raw_maximum = -__builtin_inff(), maximum = -__builtin_inff();
    each<T>(vocabulary, [&](int i, bool) {
        raw_maximum = max_of(raw_maximum, raw[i]);
        if (penalised) maximum = max_of(maximum, row.z(i));
    });
    warp_barrier();
    raw_maximum = block_max<T>(raw_maximum, floats);
    maximum = penalised ? block_max<T>(maximum, more_floats) : raw_maximum;
    row.maximum = maximum;

    Kept all = {{0, 0}, {0, 0}, 0.0f};
    double raw_mass = 0.0;
    if (temperature == 0.0f) {
        int first = vocabulary;
        each<T>(vocabulary, [&](int i, bool) { first = row.z(i) == maximum ? min_of(first, i) : first; });
        warp_barrier();
        first = block_min<T>(first, words);
        if (thread_x() == 0) chosen = first < vocabulary ? first : 0;
    } else {
        row.scale = 1.0f / temperature;
        Kept kept = all;
        bool filtered = (top_k > 0 && top_k < vocabulary) || top_p < 1.0f || min_p > 0.0f;
        double mass = masses<T>(row, all, blocks, &result);
        if (!penalised && temperature == 1.0f) raw_mass = mass;
        if (top_k > 0 && top_k < vocabulary) {
            kept.top_k = select_largest<T>(row, kept, false, top_k, scratch);
            if (top_p < 1.0f) {
                double sum = 0.0;
                each<T>(vocabulary,
                        [&](int i, bool inside) { sum += inside ? static_cast<double>(kept.mass(row, i)) : 0.0; });
                warp_barrier();
                mass = block_sum<T>(sum, scratch[0]);
                block_barrier();
            }
        }
        if (top_p < 1.0f) kept.top_p = select_largest<T>(row, kept, true, static_cast<double>(top_p) * mass, scratch);
        kept.min_p = min_p;
        if (filtered) mass = masses<T>(row, kept, blocks, &result);

        // The first token whose cumulative mass exceeds u times the whole: its block, then the token.
        int count = ceil_div(vocabulary, kBlock);
        const int* key = keys + 3 * row_index;
        double target =
            philox_uniform(seed, static_cast<u32>(key[0]), static_cast<u32>(key[1]), static_cast<u32>(key[2])) * mass;
        if (warp_id() == 0) {
            double reached = 0.0;
            int block = 0;
            bool found = false;
            FARM_NO_UNROLL
            for (int b = 0; b < count && !found; b++) {
                double m = static_cast<double>(blocks[b]);
                if (m <= 0.0) continue;
                block = b;
                found = reached + m > target;
                if (!found) reached += m;
            }
            // Rounding may leave the target at the very end: then the last token of any mass is drawn.
            if (lane_id() == 0) {
                chosen = block;
                before = found ? reached : -1e300;
            }
        }
        block_barrier();
        int base = chosen * kBlock;
        each<T>(kBlock, [&](int i, bool within) {
            float mass_here = kept.mass(row, min_of(base + i, vocabulary - 1));
            if (within) inside[i] = base + i < vocabulary ? mass_here : 0.0f;
        });
        block_barrier();
        if (warp_id() == 0) {
            int last = 0;
            double reached = before;
            bool found = false;
            FARM_NO_UNROLL
            for (int i = 0; i < kBlock && !found; i++) {
                float mass_here = inside[i];
                if (mass_here > 0.0f) {
                    last = base + i;
                    reached += static_cast<double>(mass_here);
                    found = reached > target;
                }
            }
            warp_barrier();
            if (lane_id() == 0) chosen = last;
        }
    }
    block_barrier();
    int token = chosen;
    if (raw_mass == 0.0) {
        Row plain = {raw, row_seen, false, 1.0f, 1.0f, raw_maximum, vocabulary};
        raw_mass = masses<T>(plain, all, blocks, &result);
    }
    if (thread_x() == 0) {
        tokens[row_index] = token;
        logprobs[row_index] =
            static_cast<float>(static_cast<double>(raw[token]) - static_cast<double>(raw_maximum) - log_f64(raw_mass));
        if (seen != nullptr) row_seen[token >> 5] |= static_cast<int>(1u << (token & 31));
    }
}

#define SAMPLE(NAME, T)                                                                                              \
    FARM_KERNEL(T)                                                                                                   \
    NAME(const float* __restrict__ logits, int stride, int vocabulary, const int* __restrict__ keys, int* tokens,    \
         float* logprobs, int* seen, u64 seed, int top_k, float temperature, float top_p, float min_p,               \
         float penalty) {                                                                                            \
        extern __shared__ __attribute__((aligned(16))) float blocks[];                                               \
        sample<T>(blocks, logits, stride, vocabulary, keys, tokens, logprobs, seen, seed, top_k, temperature, top_p, \
                  min_p, penalty);                                                                                   \
    }

SAMPLE(sample_warp, 32)
SAMPLE(sample_block, 512)

// logprobs[t] = log softmax(logits[t] / temperature)[ids[t]] and the entropy of the same distribution, in one pass over
// the row: each thread keeps a running maximum m, sum of e^(z - m) and sum of e^(z - m) (z - m), rescaled when the
// maximum rises (Milakov and Gimelshein, 2018); the threads' results are merged in float64 in a fixed order.
//   bytes  the row once; nothing but two floats is written
template <int T>
FARM_DEVICE void logprob(const float* logits, int stride, int vocabulary, const int* ids, float temperature,
                         float* logprobs, float* entropy) {
    __shared__ float maxima[T / 32];
    __shared__ double sums[2][T / 32];
    const float* x = logits + static_cast<s64>(block_x()) * stride;
    float scale = 1.0f / temperature, maximum = kNoMaximum, sum = 0.0f, weighted = 0.0f;
    each<T>(vocabulary, [&](int i, bool inside) {
        float value = inside ? x[i] : -__builtin_inff();
        float risen = max_of(maximum, value);
        // The factor of what was there: 1 while the maximum stays.
        float d = (maximum - risen) * scale, kept = computed(exp_exact(d));
        float z = (value - risen) * scale, e = computed(exp_exact(z));
        // The exponential is 0 long before z times it would overflow; the bound keeps -inf * 0 out.
        weighted = fma(e, max_of(z, -1e4f), kept * fma(sum, d, weighted));
        sum = fma(sum, kept, e);
        maximum = risen;
    });
    warp_barrier();
    float top = block_max<T>(maximum, maxima);
    double d = static_cast<double>((maximum - top) * scale),
           e = static_cast<double>(exp_exact((maximum - top) * scale));
    double all_weighted = block_sum<T>(e * fma(static_cast<double>(sum), d, static_cast<double>(weighted)), sums[0]);
    double all = block_sum<T>(e * static_cast<double>(sum), sums[1]);
    if (thread_x() == 0) {
        double log_mass = log_f64(all);
        float z = (x[ids[block_x()]] - top) * scale;
        logprobs[block_x()] = static_cast<float>(static_cast<double>(z) - log_mass);
        if (entropy != nullptr)
            entropy[block_x()] = static_cast<float>(
                log_mass - static_cast<double>(static_cast<float>(all_weighted) / static_cast<float>(all)));
    }
}
#define LOGPROB(NAME, T)                                                                                               \
    FARM_KERNEL(T)                                                                                                     \
    NAME(const float* __restrict__ logits, int stride, int vocabulary, const int* __restrict__ ids, float temperature, \
         float* logprobs, float* entropy) {                                                                            \
        logprob<T>(logits, stride, vocabulary, ids, temperature, logprobs, entropy);                                   \
    }
LOGPROB(logprob_gather_warp, 32)
LOGPROB(logprob_gather_block, 256)
