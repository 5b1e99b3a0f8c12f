// y = f(x) W^T with int8 weights for many rows (prefill, decoding many sequences, scoring): a multistage tensor-core
// product of bytes, one launch.
//
// The rows are quantised once, by groups of 64 as linear_skinny.cu does in registers, into the order of fragments, by
// the same launch (linear_dense.cuh); the weights are packed so. A block of 8 warps takes 128 rows by 128 columns, a
// warp 64 by 32; per 64 features a stage of [8 row tiles][2][512 bytes], [16 column tiles][512 bytes] and their scales
// comes by cp.async, four stages in flight. Every shared load of operands is 16 bytes a lane at consecutive addresses,
// without bank conflicts.
//   bytes   17/16 N K for every 128 rows and 17/16 rows K for every 128 columns; 4 + 17/16 a row and feature to prepare
//   flops   2 rows N K, of bytes; the sum over a group is exact in int32 and one fused multiply-add takes it in
//   shared  4 x 17 KB
//   registers (expected)  64 sums of the segment, 64 of the row so far, about 190 in all; preparing about 120
// Quantisation, groups and sums are those of linear_skinny.cu bit for bit: a prompt's rows get what the same rows would
// get one at a time, which weights widened to bf16 against unquantised rows would not give.
#include "linear_dense.cuh"

constexpr int kThreads = 256, kStages = 4, kRowTiles = 8, kColumnTiles = 16;
constexpr int kRowWords = kRowTiles * 64, kColumnWords = kColumnTiles * 32;
constexpr int kRowScaleWords = kRowTiles * 4, kColumnScaleWords = kColumnTiles * 2;
constexpr int kStageWords = kRowWords + kColumnWords + kRowScaleWords + kColumnScaleWords;
// A sum that starts here is, read as a float, 1.5 * 2^23 more than itself: sums of a group stay below 2^21.
constexpr int kFloatBias = 0x4B400000;
constexpr float kFloatBiasValue = 12582912.0f;

FARM_KERNEL(kThreads)
dense_int8(const float* __restrict__ x, int x_stride, const uint4* __restrict__ w, const float* __restrict__ scales,
           const float* __restrict__ norm, float epsilon, const float* __restrict__ bias, float* output,
           int output_stride, int rows, int features, int columns, int units, int tiles, int gate_up, int flags,
           uint4* prepared, float* row_scales, float* squares, int parts, u32* counters, int lots) {
    extern __shared__ __attribute__((aligned(128))) u8 shared[];
    uint4* stages = reinterpret_cast<uint4*>(shared);
    Epilogue e = {bias, output, output_stride, rows, columns, flags};
    Rows r = {x, x_stride, rows, features, units, norm, (flags & kAlignedRows) != 0, parts, squares};
    Meeting meeting = {counters, lots};
    int lane = lane_id(), warp = warp_id(), warp_row = warp / 4, warp_column = warp % 4, g = lane / 4, t = lane % 4;
    int row_tile0 = block_y() * kRowTiles, tile0 = block_x() * kColumnTiles, row_tiles = ceil_div(rows, 16);

    // Where a tile's part of a unit lies, in units.
    auto row_unit = [&](int tile, int unit) {
        return static_cast<s64>(min_of(row_tile0 + tile, row_tiles - 1)) * units + unit;
    };
    auto column_unit = [&](int tile, int unit) {
        return static_cast<s64>(min_of(tile0 + tile, tiles - 1)) * units + unit;
    };
    auto issue_columns = [&](int unit) {
        uint4* to = stages + unit % kStages * kStageWords + kRowWords;
        FARM_UNROLL
        for (int i = 0; i < kColumnWords / kThreads; i++) {
            int at = i * kThreads + thread_x();
            copy_async_16(to + at, w + column_unit(at / 32, unit) * 32 + at % 32);
        }
        if (warp == 1)
            copy_async_16(to + kColumnWords + kRowScaleWords + lane,
                          scales + column_unit(lane / 2, unit) * 8 + lane % 2 * 4);
    };
    auto issue_rows = [&](int unit) {
        uint4* to = stages + unit % kStages * kStageWords;
        FARM_UNROLL
        for (int i = 0; i < kRowWords / kThreads; i++) {
            int at = i * kThreads + thread_x();
            copy_async_16(to + at, prepared + row_unit(at / 64, unit) * 64 + at % 64);
        }
        if (warp == 0)
            copy_async_16(to + kRowWords + kColumnWords + lane,
                          row_scales + row_unit(lane / 4, unit) * 16 + lane % 4 * 4);
    };
    // Weights need not wait for rows.
    FARM_UNROLL
    for (int i = 0; i < kStages - 1; i++) {
        if (i < units) issue_columns(i);
    }
    meet<kThreads / 32>(meeting, row_tiles * parts, reinterpret_cast<u32*>(stages), [&](int job) {
        prepare(r, job, [&](int tile, int unit, const float(&v)[2][2][8]) {
            s64 at = static_cast<s64>(tile) * units + unit;
            u32 a[2][4];
            FARM_UNROLL
            for (int half = 0; half < 2; half++) {
                u32 bytes[4];
                float scale = quantise(v[half][0], v[half][1], bytes);
                a[0][half] = bytes[0];
                a[0][half + 2] = bytes[1];
                a[1][half] = bytes[2];
                a[1][half + 2] = bytes[3];
                if (t == 0) row_scales[at * 16 + g + 8 * half] = scale;
            }
            FARM_UNROLL
            for (int j = 0; j < 2; j++) prepared[(at * 2 + j) * 32 + lane] = uint4{a[j][0], a[j][1], a[j][2], a[j][3]};
        });
    });
    FARM_UNROLL
    for (int i = 0; i < kStages - 1; i++) {
        if (i < units) issue_rows(i);
        copy_async_commit();
    }

    float acc[4][4][4] = {}, total[4][4][4] = {};
    SegmentEnds segment = {units};
    next_segment(segment);
    FARM_NO_UNROLL
    for (int unit = 0; unit < units; unit++) {
        copy_async_wait<kStages - 2>();
        block_barrier();
        if (int ahead = unit + kStages - 1; ahead < units) {
            issue_rows(ahead);
            issue_columns(ahead);
        }
        copy_async_commit();
        const uint4* stage = stages + unit % kStages * kStageWords;
        const uint4* left = stage + warp_row * 4 * 64 + lane;
        const uint4* right = stage + kRowWords + warp_column * 4 * 32 + lane;
        const float* left_scales = reinterpret_cast<const float*>(stage + kRowWords + kColumnWords) + warp_row * 64 + g;
        const float* right_scales = reinterpret_cast<const float*>(stage + kRowWords + kColumnWords + kRowScaleWords) +
                                    warp_column * 32 + 2 * t;
        uint4 b[4];
        float2 s[4];
        FARM_UNROLL
        for (int n = 0; n < 4; n++) {
            b[n] = load_vector(right + n * 32);
            s[n] = load2(right_scales + n * 8);
        }
        FARM_UNROLL
        for (int m = 0; m < 4; m++) {
            uint4 low = load_vector(left + m * 64), high = load_vector(left + m * 64 + 32);
            u32 a[2][4] = {{low.x, low.y, low.z, low.w}, {high.x, high.y, high.z, high.w}};
            float r[2] = {left_scales[m * 16], left_scales[m * 16 + 8]};
            FARM_UNROLL
            for (int n = 0; n < 4; n++) {
                int sum[4] = {kFloatBias, kFloatBias, kFloatBias, kFloatBias};
                mma_s8(sum, a[0], b[n].x, b[n].y);
                mma_s8(sum, a[1], b[n].z, b[n].w);
                FARM_UNROLL
                for (int i = 0; i < 4; i++)
                    acc[m][n][i] =
                        fma(float_of(static_cast<u32>(sum[i])) - kFloatBiasValue, r[i / 2] * s[n][i % 2], acc[m][n][i]);
            }
        }
        if (unit + 1 == segment.end) {
            flush(acc, total);
            next_segment(segment);
        }
    }
    copy_async_wait<0>();
    float* factors = reinterpret_cast<float*>(stages);
    if (norm != nullptr) {
        block_barrier();
        row_factors<kRowTiles * 16>(r, row_tile0 * 16, epsilon, factors);
        block_barrier();
    }

    finish_sums(e, total, row_tile0 * 16, warp_row * 64, tile0 + warp_column * 4, norm != nullptr, factors,
                gate_up != 0);
    leave(meeting);
}
