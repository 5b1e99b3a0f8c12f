// Gradient of an embedding table without atomics: the block of a row whose id occurs for the first time owns the id,
// and adds all rows of that id in order; the other blocks end after looking back. The ids, some ten KiB, come from
// cache.
//
// Bytes: 4 T C of gradients, 8 C for each id that occurs. Grid: rows by blocks of 1024 columns.
#include "farm_device.cuh"

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kOwn = 4;  // columns of a thread, 256 apart

FARM_KERNEL(kThreads)
embedding_backward(const int* __restrict__ ids, const float* __restrict__ gradient, float* __restrict__ table,
                   int gradient_stride, int table_stride, int rows, int columns) {
    static __shared__ u32 seen[kWarps];
    static __shared__ u32 matches[2][kWarps];
    int row = block_x(), id = ids[row];
    bool before = false;
    for (int t = thread_x(); t < row; t += kThreads) before = before || ids[t] == id;
    u32 votes = ballot(before);
    if (lane_id() == 0) seen[warp_id()] = votes;
    block_barrier();
    u32 any = 0;
    FARM_UNROLL
    for (int w = 0; w < kWarps; w++) any |= seen[w];
    if (any != 0) return;

    int first = block_y() * kThreads * kOwn + thread_x();
    float* to = table + static_cast<s64>(id) * table_stride;
    float sum[kOwn];
    FARM_UNROLL
    for (int i = 0; i < kOwn; i++) sum[i] = first + i * kThreads < columns ? to[first + i * kThreads] : 0.0f;
    // 256 rows at a time: which have the id, as bits, then those rows in order. Two sets of bits in turn need one
    // barrier a round.
    int turn = 0;
    FARM_NO_UNROLL
    for (int base = row; base < rows; base += kThreads) {
        int t = base + thread_x();
        u32 mine = ballot(t < rows && ids[t < rows ? t : row] == id);
        if (lane_id() == 0) matches[turn][warp_id()] = mine;
        block_barrier();
        FARM_NO_UNROLL
        for (int w = 0; w < kWarps; w++) {
            u32 left = matches[turn][w];
            while (left != 0) {
                u32 lowest = left & (0u - left);
                left ^= lowest;
                const float* g =
                    gradient + static_cast<s64>(base + w * 32 + bits_set(lowest - 1)) * gradient_stride + first;
                FARM_UNROLL
                for (int i = 0; i < kOwn; i++)
                    if (first + i * kThreads < columns) sum[i] += g[i * kThreads];
            }
        }
        turn ^= 1;
    }
    FARM_UNROLL
    for (int i = 0; i < kOwn; i++)
        if (first + i * kThreads < columns) to[first + i * kThreads] = sum[i];
}
