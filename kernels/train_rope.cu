// The rotation of the forward undone on a gradient in place (Su et al., RoFormer, 2021): heads turned by minus the
// angle; halves paired as i and i + headDim / 2. Bytes: 8 a rotated element, and the angles once a row from cache.
#include "farm_device.cuh"

constexpr int kThreads = 256;

// Grid: rows by blocks of 256 pairs of a row; `pairs` is the rotated heads times headDim / 2.
FARM_KERNEL(kThreads)
rope_backward(float* gradient, const int* __restrict__ positions, const float* __restrict__ cosine,
              const float* __restrict__ sine, int stride, int pairs, int half) {
    int pair = block_y() * kThreads + thread_x();
    if (pair >= pairs) return;
    int head = pair / half, i = pair - head * half;
    s64 angle = static_cast<s64>(positions[block_x()]) * half + i;
    float c = cosine[angle], s = sine[angle];
    float* at = gradient + static_cast<s64>(block_x()) * stride + head * half * 2 + i;
    float a = at[0], b = at[half];
    at[0] = fma(a, c, b * s);
    at[half] = fma(b, c, -(a * s));
}
