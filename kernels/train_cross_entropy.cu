// The output layer's softmax, walked in chunks of at most 8,192 columns of the vocabulary: the chunk's logits are made
// by a product, these kernels take them in, and the next chunk overwrites them. Two walks: the first finds each row's
// maximum, mass and target (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018), the second
// turns the logits of a chunk, made again unless there is one chunk only, into their gradients in place.
//
// A row's state, four float64: maximum, mass = sum e^(z - maximum), moment = sum e^(z - maximum) (z - maximum), target
// logit; z are the logits over the temperature. Chunks are cut at the same columns whatever the rows, so that no row
// depends on another.
#include "farm_device.cuh"

constexpr int kThreads = 256;
constexpr int kChunk = 8192;
constexpr int kOwn = kChunk / kThreads;

// A block does a row, whose logits stay in registers. Bytes: 4 an element read. About 64 registers.
FARM_KERNEL(kThreads)
vocabulary_scan(const float* __restrict__ logits, const int* __restrict__ labels, double* __restrict__ state,
                int stride, int columns, int first, float inverse_temperature) {
    static __shared__ float top[kThreads / 32];
    static __shared__ double sums[2][kThreads / 32];
    const float* row = logits + static_cast<s64>(block_x()) * stride;
    float z[kOwn], maximum = -__builtin_inff();
    FARM_UNROLL
    for (int i = 0; i < kOwn; i++) {
        int c = i * kThreads + thread_x();
        z[i] = c < columns ? row[c] * inverse_temperature : -__builtin_inff();
        maximum = max_of(maximum, z[i]);
    }
    maximum = block_max<kThreads>(maximum, top);
    float mass = 0.0f, moment = 0.0f;
    FARM_UNROLL
    for (int i = 0; i < kOwn; i++) {
        float d = max_of(z[i] - maximum, -1e30f), e = exp_exact(d);
        mass += e;
        moment = fma(e, d, moment);
    }
    double mass_here = block_sum<kThreads>(static_cast<double>(mass), sums[0]);
    double moment_here = block_sum<kThreads>(static_cast<double>(moment), sums[1]);
    if (thread_x() != 0) return;
    double* to = state + static_cast<s64>(block_x()) * 4;
    int label = labels[block_x()];
    double target = label >= first && label - first < columns
                        ? static_cast<double>(row[label - first] * inverse_temperature)
                        : (first == 0 ? 0.0 : to[3]);
    double m = static_cast<double>(maximum);
    if (first > 0) {
        double old = to[0], joint = max_of(old, m);
        double a = static_cast<double>(exp_exact(static_cast<float>(old - joint)));
        double b = static_cast<double>(exp_exact(static_cast<float>(m - joint)));
        moment_here = a * (to[2] + to[1] * (old - joint)) + b * (moment_here + mass_here * (m - joint));
        mass_here = a * to[1] + b * mass_here;
        m = joint;
    }
    to[0] = m;
    to[1] = mass_here;
    to[2] = moment_here;
    to[3] = target;
}

// losses = -log softmax at the label, 0 where it is negative; and what the second walk needs of a row: maximum,
// coefficient over mass, coefficient, where the gradient of z is coefficient (softmax - [label]). A thread does a row.
FARM_KERNEL(kThreads)
cross_entropy_finish(const double* __restrict__ state, const int* __restrict__ labels, const float* __restrict__ scales,
                     float* __restrict__ losses, float4* __restrict__ factors, int rows) {
    int t = block_x() * kThreads + thread_x();
    if (t >= rows) return;
    const double* from = state + static_cast<s64>(t) * 4;
    bool ignored = labels[t] < 0;
    float scale = ignored ? 0.0f : scales[t];
    losses[t] = ignored ? 0.0f : static_cast<float>(log_f64(from[1]) - (from[3] - from[0]));
    factors[t] =
        float4{static_cast<float>(from[0]), static_cast<float>(static_cast<double>(scale) / from[1]), scale, 0.0f};
}

// The gradient of a chunk's logits in their place. Bytes: 8 an element. Grid: rows by blocks of 1024 columns.
FARM_KERNEL(kThreads)
vocabulary_gradient(float* __restrict__ logits, const int* __restrict__ labels, const float4* __restrict__ factors,
                    int stride, int columns, int first, float inverse_temperature) {
    float* row = logits + static_cast<s64>(block_x()) * stride;
    float4 f = factors[block_x()];
    int label = labels[block_x()] - first;
    FARM_UNROLL
    for (int i = 0; i < 4; i++) {
        int c = (block_y() * 4 + i) * kThreads + thread_x();
        if (c >= columns) continue;
        float g = exp_exact(row[c] * inverse_temperature - f.x) * f.y;
        // An ignored row is zero whatever its logits are.
        row[c] = f.z == 0.0f ? 0.0f : c == label ? g - f.z : g;
    }
}
