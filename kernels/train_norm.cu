// Backward of RMSNorm (Zhang and Sennrich, 2019): with y = x r w, r = 1 / sqrt(mean(x^2) + epsilon) and g the gradient
// of y, dx += r (g w - x r^2 mean(g w x)); r is kept for the weight's gradient (sum_rows_products).
//
// A block does a row. Bytes: 16 T C read (x and g twice, the second time from cache) and 8 T C for dx. Shared memory:
// 64 bytes. About 32 registers.
#include "farm_device.cuh"

constexpr int kThreads = 256;

FARM_KERNEL(kThreads)
rms_norm_backward(const float* __restrict__ input, const float* __restrict__ weight, const float* gradient,
                  float* input_gradient, float* __restrict__ factors, int input_stride, int gradient_stride,
                  int input_gradient_stride, int columns, float epsilon) {
    static __shared__ float scratch[2][kThreads / 32];
    s64 row = block_x();
    const float *x = input + row * input_stride, *g = gradient + row * gradient_stride;
    float squares = 0.0f, products = 0.0f;
    for (int c = thread_x(); c < columns; c += kThreads) {
        squares = fma(x[c], x[c], squares);
        products = fma(g[c] * weight[c], x[c], products);
    }
    squares = block_sum<kThreads>(squares, scratch[0]);
    products = block_sum<kThreads>(products, scratch[1]);
    float size = static_cast<float>(columns), r = 1.0f / square_root(squares / size + epsilon);
    float shrink = r * r * (products / size);
    if (thread_x() == 0) factors[row] = r;
    float* to = input_gradient + row * input_gradient_stride;
    for (int c = thread_x(); c < columns; c += kThreads) to[c] += r * (g[c] * weight[c] - x[c] * shrink);
}
