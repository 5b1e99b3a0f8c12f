// y = f(x) W^T with float32 weights for many rows (prefill, scoring) in the exact mode: register-tiled outer products
// over a three-stage cp.async pipeline, as matmul_f32.cu.
//
// A block computes Rows x 128 outputs in steps of 16 of k, a thread 8 x 8: rows t + i Rows / 8, columns t + 16 j. Rows
// come padded (dense_pack_f32, times the norm's weight), or as they are where they need neither; a tile of them
// [row][16] has its four 16-byte chunks permuted by bits 1 and 2 of the row. The weights' packed order is [k / 4][32
// columns][4] already: a tile is [4][128][4] and a thread reads four k of a column at once. The lanes of a quarter warp
// differ in their column alone, 128 consecutive bytes, and share their row: no bank conflicts.
//   bytes   4 N K for every Rows rows and 4 rows K for every 128 columns, the pack 8 a row and feature
//   flops   2 rows N K on the float32 units; 16 shared loads of 16 bytes for 256 of them
//   shared  3 x (Rows + 128) x 64 bytes: 48 KB, or 36 KB for 64 rows
//   registers (expected)  64 sums of the segment, 64 of the row so far, about 230 in all
// A segment is one chain in ascending k and the segments are added in order (linear_common.cuh): the bits are those of
// linear_f32.cu.
#include "linear_common.cuh"

constexpr int kDepth = 16, kStages = 3, kColumns = 128;

// Place of 16-byte chunk `chunk` of row `row`.
FARM_DEVICE int line_chunk(int row, int chunk) {
    return row * (kDepth / 4) + (chunk ^ ((row >> 1) & 3));
}

// Rows times the norm's weight, 0 behind the last feature: [rows][64 units]. A thread takes four features.
FARM_KERNEL(128)
dense_pack_f32(const float* __restrict__ x, int x_stride, const float* __restrict__ norm, int features, int units,
               float* packed) {
    int k = (block_y() * 128 + thread_x()) * 4;
    if (k >= units * kUnit) return;
    const float* row = x + static_cast<s64>(block_x()) * x_stride;
    float4 v;
    FARM_UNROLL
    for (int i = 0; i < 4; i++) {
        int at = k + i;
        float value = at < features ? row[at] : 0.0f;
        if (norm != nullptr) value *= at < features ? norm[at] : 0.0f;
        v[i] = value;
    }
    store4(packed + static_cast<s64>(block_x()) * (units * kUnit) + k, v);
}

template <int Rows>
FARM_DEVICE void dense_f32(const float* x, int x_stride, const float4* w, const float* factors, const Epilogue& e,
                           int units, int tiles, bool gate_up) {
    constexpr int kThreads = Rows * 2;
    static __shared__ float4 left[kStages][Rows * kDepth / 4], right[kStages][kColumns * kDepth / 4];
    int first_row = block_y() * Rows, tile0 = block_x() * (kColumns / 32), steps = units * (kUnit / kDepth);
    int tx = (warp_id() & 1) * 8 + (lane_id() & 7), ty = (warp_id() >> 1) * 4 + (lane_id() >> 3);

    auto issue = [&](int step) {
        if (step < steps) {
            int stage = step % kStages;
            FARM_UNROLL
            for (int i = 0; i < Rows * kDepth / 4 / kThreads; i++) {
                int at = i * kThreads + thread_x(), row = at / 4, chunk = at % 4;
                copy_async_16(
                    left[stage] + line_chunk(row, chunk),
                    x + static_cast<s64>(min_of(first_row + row, e.rows - 1)) * x_stride + step * kDepth + chunk * 4);
            }
            FARM_UNROLL
            for (int i = 0; i < kColumns * kDepth / 4 / kThreads; i++) {
                int at = i * kThreads + thread_x(), column = at % kColumns;
                s64 tile = min_of(tile0 + column / 32, tiles - 1);
                copy_async_16(
                    right[stage] + at,
                    w + (tile * (units * (kUnit / 4)) + step * (kDepth / 4) + at / kColumns) * 32 + column % 32);
            }
        }
        copy_async_commit();
    };
    FARM_UNROLL
    for (int i = 0; i < kStages - 1; i++) issue(i);

    float sum[8][8] = {}, total[8][8] = {};
    // Segments without a unit add nothing and are passed over.
    int segment = 0, segment_end = 0;
    auto next_segment = [&] {
        int before = segment_end;
        while (segment < kSegments && segment_end == before) segment_end = segment_of(segment++, units).end;
    };
    next_segment();
    FARM_NO_UNROLL
    for (int step = 0; step < steps; step++) {
        copy_async_wait<kStages - 2>();
        block_barrier();
        issue(step + kStages - 1);
        const float4 *a = left[step % kStages], *b = right[step % kStages];
        FARM_UNROLL
        for (int chunk = 0; chunk < kDepth / 4; chunk++) {
            float4 p[8], q[8];
            FARM_UNROLL
            for (int i = 0; i < 8; i++) {
                p[i] = a[line_chunk(ty + i * (Rows / 8), chunk)];
                q[i] = b[chunk * kColumns + tx + i * 16];
            }
            FARM_UNROLL
            for (int k = 0; k < 4; k++) FARM_UNROLL
            for (int i = 0; i < 8; i++) FARM_UNROLL
            for (int j = 0; j < 8; j++) sum[i][j] = fma(p[i][k], q[j][k], sum[i][j]);
        }
        if (step + 1 == segment_end * (kUnit / kDepth)) {
            FARM_UNROLL
            for (int i = 0; i < 8; i++) FARM_UNROLL
            for (int j = 0; j < 8; j++) {
                total[i][j] += sum[i][j];
                sum[i][j] = 0.0f;
            }
            next_segment();
        }
    }
    copy_async_wait<0>();

    FARM_UNROLL
    for (int i = 0; i < 8; i++) {
        int row = first_row + ty + i * (Rows / 8);
        if (row >= e.rows) continue;
        float factor = factors != nullptr ? factors[row] : 1.0f;
        FARM_UNROLL
        for (int j = 0; j < 8; j++) {
            float value = total[i][j];
            if (factors != nullptr) value *= factor;
            // A tile has 16 gates, then the ups of the same outputs; or 32 columns.
            if (!gate_up) {
                finish(e, row, tile0 * 32 + tx + 16 * j, value);
            } else if (j % 2 == 0) {
                float up = total[i][j + 1];
                if (factors != nullptr) up *= factor;
                finish(e, row, (tile0 + j / 2) * 16 + tx, silu(value) * up);
            }
        }
    }
}

#define DENSE(NAME, ROWS)                                                                                            \
    FARM_KERNEL((ROWS)*2)                                                                                            \
    NAME(const float* __restrict__ x, int x_stride, const float4* __restrict__ w, const float* __restrict__ factors, \
         const float* __restrict__ bias, float* output, int output_stride, int rows, int columns, int units,         \
         int tiles, int gate_up, int flags) {                                                                        \
        Epilogue e = {bias, output, output_stride, rows, columns, flags};                                            \
        dense_f32<ROWS>(x, x_stride, w, factors, e, units, tiles, gate_up != 0);                                     \
    }

DENSE(dense_f32_m64, 64)
DENSE(dense_f32_m128, 128)
