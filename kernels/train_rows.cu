// Elementwise operations on rows, and sums over rows. All are bandwidth-bound; bytes are stated for [T, C] float32.
#include "farm_device.cuh"

constexpr int kThreads = 256;
constexpr int kColumns = 1024;  // columns of a row that a block does: four a thread

// output += bias on every row. Bytes: 8 T C + 4 C a row block. Grid: rows by blocks of columns.
FARM_KERNEL(kThreads) add_bias(const float* __restrict__ bias, float* output, int stride, int columns) {
    float* row = output + static_cast<s64>(block_x()) * stride;
    FARM_UNROLL
    for (int i = 0; i < kColumns / kThreads; i++) {
        int c = block_y() * kColumns + i * kThreads + thread_x();
        if (c < columns) row[c] += bias[c];
    }
}

// destination = source * factor (+ destination). Bytes: 8 T C, 12 T C where it accumulates. The same element may be
// source and destination.
FARM_KERNEL(kThreads)
scale_rows(const float* source, float* destination, int source_stride, int destination_stride, int columns,
           float factor, int accumulate) {
    const float* from = source + static_cast<s64>(block_x()) * source_stride;
    float* to = destination + static_cast<s64>(block_x()) * destination_stride;
    FARM_UNROLL
    for (int i = 0; i < kColumns / kThreads; i++) {
        int c = block_y() * kColumns + i * kThreads + thread_x();
        if (c < columns) to[c] = accumulate ? fma(from[c], factor, to[c]) : from[c] * factor;
    }
}

// Sums over rows in two steps of a fixed shape: blocks of 256 rows, each summed by eight lanes of rows whose sums are
// added in order; then the blocks in order.
constexpr int kRowBlock = 256;
constexpr int kLanes = 8;
constexpr int kStrip = kThreads / kLanes;  // columns of a block: 128 bytes of a row

// partial [row blocks, C]. Bytes: 4 T C. Grid: row blocks by strips of 32 columns. With factors, row t counts
// left[t] * right[t] * factor[t]: the gradient of a norm's weight, 8 T C bytes.
template <bool Product>
FARM_DEVICE void sum_block(const float* left, const float* right, const float* factor, float* partial, int left_stride,
                           int right_stride, int rows, int columns) {
    static __shared__ float sums[kLanes][kStrip];
    int lane = thread_x() / kStrip, within = thread_x() % kStrip, c = block_y() * kStrip + within;
    float sum = 0.0f;
    if (c < columns) {
        int first = block_x() * kRowBlock, end = min_of(first + kRowBlock, rows);
        for (int r = first + lane; r < end; r += kLanes) {
            float v = left[static_cast<s64>(r) * left_stride + c];
            if constexpr (Product)
                sum = fma(v * right[static_cast<s64>(r) * right_stride + c], factor[r], sum);
            else
                sum += v;
        }
    }
    sums[lane][within] = sum;
    block_barrier();
    if (lane == 0 && c < columns) {
        FARM_UNROLL
        for (int i = 1; i < kLanes; i++) sum += sums[i][within];
        partial[static_cast<s64>(block_x()) * columns + c] = sum;
    }
}

FARM_KERNEL(kThreads)
sum_rows_blocks(const float* __restrict__ input, float* __restrict__ partial, int stride, int rows, int columns) {
    sum_block<false>(input, nullptr, nullptr, partial, stride, 0, rows, columns);
}

FARM_KERNEL(kThreads)
sum_rows_products(const float* __restrict__ left, const float* __restrict__ right, const float* __restrict__ factor,
                  float* __restrict__ partial, int left_stride, int right_stride, int rows, int columns) {
    sum_block<true>(left, right, factor, partial, left_stride, right_stride, rows, columns);
}

// sum [C] += the blocks' sums. Bytes: 4 C (T / 256 + 2).
FARM_KERNEL(kThreads)
sum_rows_finish(const float* __restrict__ partial, float* __restrict__ sum, int blocks, int columns) {
    int c = block_x() * kThreads + thread_x();
    if (c >= columns) return;
    float total = 0.0f;
    for (int b = 0; b < blocks; b++) total += partial[static_cast<s64>(b) * columns + c];
    sum[c] += total;
}
