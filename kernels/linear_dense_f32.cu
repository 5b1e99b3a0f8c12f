// y = f(x) W^T with float32 weights for many rows (prefill, decoding many sequences, scoring) in the exact mode:
// register-tiled outer products over a three-stage cp.async pipeline, as matmul_f32.cu; one launch.
//
// A block computes Side x 128 outputs in steps of 16 of k, a thread 8 x 8: rows t + i Side / 8, columns t + 16 j. Rows
// are prepared by the same launch (linear_dense.cuh), times the norm's weight and padded to whole units, or taken as
// they are where they need neither; a tile of them [row][16] has its four 16-byte chunks permuted by bits 1 and 2 of
// the row. The weights' packed order is [k / 4][32 columns][4] already: a tile is [4][128][4] and a thread reads four k
// of a column at once. The lanes of a quarter warp differ in their column alone, 128 consecutive bytes, and share their
// row: no bank conflicts.
//   bytes   4 N K for every Side rows and 4 rows K for every 128 columns; 8 a row and feature to prepare
//   flops   2 rows N K on the float32 units; 16 shared loads of 16 bytes for 256 of them
//   shared  3 x (Side + 128) x 64 bytes: 48 KB, or 36 KB for 64 rows
//   registers (expected)  64 sums of the segment, 64 of the row so far, about 230 in all; preparing about 120
// A segment is one chain in ascending k and the segments are added in order (linear_common.cuh): the bits are those of
// linear_f32.cu.
#include "linear_dense.cuh"

constexpr int kDepth = 16, kStages = 3, kColumns = 128;

// Place of 16-byte chunk `chunk` of row `row`.
FARM_DEVICE int line_chunk(int row, int chunk) {
    return row * (kDepth / 4) + (chunk ^ ((row >> 1) & 3));
}

template <int Side>
FARM_DEVICE void dense_f32(const Rows& r, float* prepared, const Meeting& meeting, const float4* w, float epsilon,
                           const Epilogue& e, int tiles, bool gate_up) {
    constexpr int kThreads = Side * 2;
    static __shared__ float4 left[kStages][Side * kDepth / 4], right[kStages][kColumns * kDepth / 4];
    int first_row = block_y() * Side, tile0 = block_x() * (kColumns / 32), units = r.units,
        steps = units * (kUnit / kDepth);
    int tx = (warp_id() & 1) * 8 + (lane_id() & 7), ty = (warp_id() >> 1) * 4 + (lane_id() >> 3);

    // Rows as they are, if none are prepared.
    const float* x = meeting.lots > 0 ? prepared : r.x;
    int x_stride = meeting.lots > 0 ? units * kUnit : r.stride;

    auto issue_columns = [&](int step) {
        FARM_UNROLL
        for (int i = 0; i < kColumns * kDepth / 4 / kThreads; i++) {
            int at = i * kThreads + thread_x(), column = at % kColumns;
            s64 tile = min_of(tile0 + column / 32, tiles - 1);
            copy_async_16(right[step % kStages] + at,
                          w + (tile * (units * (kUnit / 4)) + step * (kDepth / 4) + at / kColumns) * 32 + column % 32);
        }
    };
    auto issue_rows = [&](int step) {
        FARM_UNROLL
        for (int i = 0; i < Side * kDepth / 4 / kThreads; i++) {
            int at = i * kThreads + thread_x(), row = at / 4, chunk = at % 4;
            copy_async_16(
                left[step % kStages] + line_chunk(row, chunk),
                x + static_cast<s64>(min_of(first_row + row, e.rows - 1)) * x_stride + step * kDepth + chunk * 4);
        }
    };
    // Weights need not wait for rows; there are more steps than stages in flight.
    FARM_UNROLL
    for (int i = 0; i < kStages - 1; i++) issue_columns(i);
    if (meeting.lots > 0) {
        meet<kThreads / 32>(meeting, ceil_div(e.rows, 16) * r.parts, reinterpret_cast<u32*>(left), [&](int job) {
            prepare(r, job, [&](int tile, int unit, const float(&v)[2][2][8]) {
                FARM_UNROLL
                for (int half = 0; half < 2; half++) FARM_UNROLL
                for (int j = 0; j < 2; j++) {
                    int row = tile * 16 + lane_id() / 4 + 8 * half, k = unit * kUnit + 32 * j + 8 * (lane_id() % 4);
                    const float(&o)[8] = v[half][j];
                    float* to = prepared + static_cast<s64>(row) * (units * kUnit) + k;
                    store4(to, float4{o[0], o[1], o[2], o[3]});
                    store4(to + 4, float4{o[4], o[5], o[6], o[7]});
                }
            });
        });
    }
    FARM_UNROLL
    for (int i = 0; i < kStages - 1; i++) {
        issue_rows(i);
        copy_async_commit();
    }

    float sum[8][8] = {}, total[8][8] = {};
    SegmentEnds segment = {units};
    next_segment(segment);
    FARM_NO_UNROLL
    for (int step = 0; step < steps; step++) {
        copy_async_wait<kStages - 2>();
        block_barrier();
        if (int ahead = step + kStages - 1; ahead < steps) {
            issue_rows(ahead);
            issue_columns(ahead);
        }
        copy_async_commit();
        const float4 *a = left[step % kStages], *b = right[step % kStages];
        FARM_UNROLL
        for (int chunk = 0; chunk < kDepth / 4; chunk++) {
            float4 p[8], q[8];
            FARM_UNROLL
            for (int i = 0; i < 8; i++) {
                p[i] = a[line_chunk(ty + i * (Side / 8), chunk)];
                q[i] = b[chunk * kColumns + tx + i * 16];
            }
            FARM_UNROLL
            for (int k = 0; k < 4; k++) FARM_UNROLL
            for (int i = 0; i < 8; i++) FARM_UNROLL
            for (int j = 0; j < 8; j++) sum[i][j] = fma(p[i][k], q[j][k], sum[i][j]);
        }
        if (step + 1 == segment.end * (kUnit / kDepth)) {
            FARM_UNROLL
            for (int i = 0; i < 8; i++) FARM_UNROLL
            for (int j = 0; j < 8; j++) {
                total[i][j] += sum[i][j];
                sum[i][j] = 0.0f;
            }
            next_segment(segment);
        }
    }
    copy_async_wait<0>();
    float* factors = reinterpret_cast<float*>(left);
    if (r.norm != nullptr) {
        block_barrier();
        row_factors<Side>(r, first_row, epsilon, factors);
        block_barrier();
    }

    FARM_UNROLL
    for (int i = 0; i < 8; i++) {
        int local = ty + i * (Side / 8), row = first_row + local;
        if (row >= e.rows) continue;
        float factor = r.norm != nullptr ? factors[local] : 1.0f;
        FARM_UNROLL
        for (int j = 0; j < 8; j++) {
            float value = total[i][j];
            if (r.norm != nullptr) value *= factor;
            // A tile has 16 gates, then the ups of the same outputs; or 32 columns.
            if (!gate_up) {
                finish(e, row, tile0 * 32 + tx + 16 * j, value);
            } else if (j % 2 == 0) {
                float up = total[i][j + 1];
                if (r.norm != nullptr) up *= factor;
                finish(e, row, (tile0 + j / 2) * 16 + tx, silu(value) * up);
            }
        }
    }
    if (meeting.lots > 0) leave(meeting);
}

#define DENSE(NAME, SIDE)                                                                                         \
    FARM_KERNEL((SIDE)*2)                                                                                         \
    NAME(const float* __restrict__ x, int x_stride, const float4* __restrict__ w, const float* __restrict__ norm, \
         float epsilon, const float* __restrict__ bias, float* output, int output_stride, int rows, int features, \
         int columns, int units, int tiles, int gate_up, int flags, float* prepared, float* squares, int parts,   \
         u32* counters, int lots) {                                                                               \
        Epilogue e = {bias, output, output_stride, rows, columns, flags};                                         \
        Rows r = {x, x_stride, rows, features, units, norm, (flags & kAlignedRows) != 0, parts, squares};         \
        dense_f32<SIDE>(r, prepared, Meeting{counters, lots}, w, epsilon, e, tiles, gate_up != 0);                \
    }

DENSE(dense_f32_m64, 64)
DENSE(dense_f32_m128, 128)
