// The norm that gradients are clipped by, and the AdamW update. Both bandwidth-bound.
#include "farm_device.cuh"

constexpr int kThreads = 256;
constexpr int kBlockElements = 16384;

// The sum of squares of 16,384 elements in float64: a thread's elements in order, then a fixed tree. Bytes: 4 an
// element.
FARM_KERNEL(kThreads)
sum_of_squares_blocks(const float* __restrict__ data, double* __restrict__ partial, s64 count) {
    static __shared__ double scratch[kThreads / 32];
    s64 first = static_cast<s64>(block_x()) * kBlockElements;
    int here = static_cast<int>(min_of<s64>(count - first, kBlockElements));
    double sum = 0.0;
    for (int i = thread_x(); i < here; i += kThreads) {
        double x = static_cast<double>(data[first + i]);
        sum = fma(x, x, sum);
    }
    sum = block_sum<kThreads>(sum, scratch);
    if (thread_x() == 0) partial[block_x()] = sum;
}

// The sum of the blocks' sums, by one block.
FARM_KERNEL(kThreads)
sum_of_squares_finish(const double* __restrict__ partial, double* __restrict__ total, int blocks) {
    static __shared__ double scratch[kThreads / 32];
    double sum = 0.0;
    for (int i = thread_x(); i < blocks; i += kThreads) sum += partial[i];
    sum = block_sum<kThreads>(sum, scratch);
    if (thread_x() == 0) *total = sum;
}

FARM_DEVICE void update_one(float& p, float gradient, float& m, float& v, float beta1, float beta2, float inverse1,
                            float inverse2, float learning_rate, float decay, float epsilon, float scale) {
    float g = gradient * scale;
    m = beta1 * m + (1.0f - beta1) * g;
    v = beta2 * v + (1.0f - beta2) * g * g;
    p = p * decay - learning_rate * (m * inverse1) / (square_root(v * inverse2) + epsilon);
}

// AdamW (Loshchilov and Hutter, 2019, algorithm 2), a thread for four elements. Bytes: 28 an element, 30 where the
// parameter is also written rounded to bf16. The corrections and decay = 1 - learning rate * weight decay are numbers
// of the host. `wide`: all four tensors lie on 16 bytes.
FARM_KERNEL(kThreads)
adamw(float* __restrict__ parameter, const float* __restrict__ gradient, float* __restrict__ first_moment,
      float* __restrict__ second_moment, u16* __restrict__ rounded, s64 count, float beta1, float beta2, float inverse1,
      float inverse2, float learning_rate, float decay, float epsilon, float scale, int wide) {
    s64 at = (static_cast<s64>(block_x()) * kThreads + thread_x()) * 4;
    if (at >= count) return;
    if (wide && at + 3 < count) {
        float4 p = *reinterpret_cast<float4*>(parameter + at), g = *reinterpret_cast<const float4*>(gradient + at);
        float4 m = *reinterpret_cast<float4*>(first_moment + at), v = *reinterpret_cast<float4*>(second_moment + at);
        float ps[4] = {p.x, p.y, p.z, p.w}, gs[4] = {g.x, g.y, g.z, g.w}, ms[4] = {m.x, m.y, m.z, m.w};
        float vs[4] = {v.x, v.y, v.z, v.w};
        FARM_UNROLL
        for (int i = 0; i < 4; i++)
            update_one(ps[i], gs[i], ms[i], vs[i], beta1, beta2, inverse1, inverse2, learning_rate, decay, epsilon,
                       scale);
        *reinterpret_cast<float4*>(parameter + at) = float4{ps[0], ps[1], ps[2], ps[3]};
        *reinterpret_cast<float4*>(first_moment + at) = float4{ms[0], ms[1], ms[2], ms[3]};
        *reinterpret_cast<float4*>(second_moment + at) = float4{vs[0], vs[1], vs[2], vs[3]};
        if (rounded != nullptr) {
            FARM_UNROLL
            for (int i = 0; i < 4; i++) rounded[at + i] = bf16_round(ps[i]);
        }
        return;
    }
    for (s64 i = at; i < min_of(at + 4, count); i++) {
        float p = parameter[i], m = first_moment[i], v = second_moment[i];
        update_one(p, gradient[i], m, v, beta1, beta2, inverse1, inverse2, learning_rate, decay, epsilon, scale);
        parameter[i] = p;
        first_moment[i] = m;
        second_moment[i] = v;
        if (rounded != nullptr) rounded[i] = bf16_round(p);
    }
}
