// y = f(x) W^T with bf16 weights for many rows (prefill, decoding many sequences, scoring): a multistage tensor-core
// product, one launch.
//
// Both operands lie as fragments: the weights are packed so (linear_common.cuh), the rows are brought into that order
// first, times the norm's weight and split into Terms terms of bf16, by the same launch (linear_dense.cuh). A block of
// 8 warps takes 128 rows by 128 columns, a warp 64 by 32; per 32 features a stage of [8 row tiles][2][Terms][512 bytes]
// and [16 column tiles][512 bytes] comes by cp.async, three stages in flight. Because fragments are what is copied, no
// swizzle and no ldmatrix is needed: every shared load is 16 bytes a lane at consecutive addresses, without bank
// conflicts.
//   bytes   2 N K for every 128 rows and 2 Terms rows K for every 128 columns; 4 + 2 Terms per row and feature to
//           prepare
//   flops   2 rows N K times Terms; a stage of 96 products of a warp (Terms = 3) waits for 24 KB + 8 KB
//   shared  3 x (8 Terms + 8) KB: 96 KB, or 48 KB for one term
//   registers (expected)  64 sums of the segment, 64 of the row so far, about 190 in all; preparing about 120
// The sums are those of linear_skinny.cu bit for bit.
#include "linear_dense.cuh"

constexpr int kThreads = 256, kStages = 3, kRowTiles = 8, kColumnTiles = 16;

template <int Terms>
FARM_DEVICE void dense(u8* shared, const Rows& r, uint4* prepared, const Meeting& meeting, const uint4* w,
                       float epsilon, const Epilogue& e, int tiles, bool gate_up) {
    constexpr int kTileWords = 2 * Terms * 32, kRowWords = kRowTiles * kTileWords;
    constexpr int kStageWords = kRowWords + kColumnTiles * 32;
    uint4* stages = reinterpret_cast<uint4*>(shared);
    int lane = lane_id(), warp = warp_id(), warp_row = warp / 4, warp_column = warp % 4;
    int row_tile0 = block_y() * kRowTiles, tile0 = block_x() * kColumnTiles, blocks = 2 * r.units;
    int row_tiles = ceil_div(e.rows, 16);

    auto issue_columns = [&](int block) {
        uint4* to = stages + block % kStages * kStageWords + kRowWords;
        FARM_UNROLL
        for (int i = 0; i < kColumnTiles * 32 / kThreads; i++) {
            int at = i * kThreads + thread_x();
            s64 from = static_cast<s64>(min_of(tile0 + at / 32, tiles - 1)) * blocks + block;
            copy_async_16(to + at, w + from * 32 + at % 32);
        }
    };
    auto issue_rows = [&](int block) {
        uint4* to = stages + block % kStages * kStageWords;
        FARM_UNROLL
        for (int i = 0; i < kRowWords / kThreads; i++) {
            int at = i * kThreads + thread_x(), tile = at / kTileWords;
            s64 from = static_cast<s64>(min_of(row_tile0 + tile, row_tiles - 1)) * blocks + block;
            copy_async_16(to + at, prepared + from * kTileWords + at % kTileWords);
        }
    };
    // Weights need not wait for rows; there are at least as many blocks of 32 features as stages in flight.
    FARM_UNROLL
    for (int i = 0; i < kStages - 1; i++) issue_columns(i);
    meet<kThreads / 32>(meeting, row_tiles * r.parts, reinterpret_cast<u32*>(stages), [&](int job) {
        prepare(r, job, [&](int tile, int unit, const float(&v)[2][2][8]) {
            FARM_UNROLL
            for (int j = 0; j < 2; j++) {
                u32 a[2][Terms][4];
                fragments<Terms>(v[0][j], v[1][j], a);
                uint4* to = prepared + (static_cast<s64>(tile) * blocks + 2 * unit + j) * kTileWords + lane;
                FARM_UNROLL
                for (int k = 0; k < 2; k++) FARM_UNROLL
                for (int i = 0; i < Terms; i++)
                    to[(k * Terms + i) * 32] = uint4{a[k][i][0], a[k][i][1], a[k][i][2], a[k][i][3]};
            }
        });
    });
    FARM_UNROLL
    for (int i = 0; i < kStages - 1; i++) {
        issue_rows(i);
        copy_async_commit();
    }

    float acc[4][4][4] = {}, total[4][4][4] = {};
    SegmentEnds segment = {r.units};
    next_segment(segment);
    FARM_NO_UNROLL
    for (int block = 0; block < blocks; block++) {
        copy_async_wait<kStages - 2>();
        block_barrier();
        if (int ahead = block + kStages - 1; ahead < blocks) {
            issue_rows(ahead);
            issue_columns(ahead);
        }
        copy_async_commit();
        const uint4* stage = stages + block % kStages * kStageWords;
        const uint4* rows = stage + warp_row * 4 * kTileWords + lane;
        const uint4* columns = stage + kRowWords + warp_column * 4 * 32 + lane;
        uint4 b[4];
        FARM_UNROLL
        for (int n = 0; n < 4; n++) b[n] = load_vector(columns + n * 32);
        FARM_UNROLL
        for (int j = 0; j < 2; j++) FARM_UNROLL
        for (int i = 0; i < Terms; i++) FARM_UNROLL
        for (int m = 0; m < 4; m++) {
            uint4 v = load_vector(rows + m * kTileWords + (j * Terms + i) * 32);
            u32 a[4] = {v.x, v.y, v.z, v.w};
            FARM_UNROLL
            for (int n = 0; n < 4; n++) mma_bf16(acc[m][n], a, j == 0 ? b[n].x : b[n].z, j == 0 ? b[n].y : b[n].w);
        }
        if (block + 1 == 2 * segment.end) {
            flush(acc, total);
            next_segment(segment);
        }
    }
    copy_async_wait<0>();
    float* factors = reinterpret_cast<float*>(stages);
    if (r.norm != nullptr) {
        block_barrier();
        row_factors<kRowTiles * 16>(r, row_tile0 * 16, epsilon, factors);
        block_barrier();
    }

    finish_sums(e, total, row_tile0 * 16, warp_row * 64, tile0 + warp_column * 4, r.norm != nullptr, factors, gate_up);
    leave(meeting);
}

#define DENSE(NAME, TERMS)                                                                                        \
    FARM_KERNEL(kThreads)                                                                                         \
    NAME(const float* __restrict__ x, int x_stride, const uint4* __restrict__ w, const float* __restrict__ norm,  \
         float epsilon, const float* __restrict__ bias, float* output, int output_stride, int rows, int features, \
         int columns, int units, int tiles, int gate_up, int flags, uint4* prepared, float* squares, int parts,   \
         u32* counters, int lots) {                                                                               \
        extern __shared__ __attribute__((aligned(128))) u8 shared[];                                              \
        Epilogue e = {bias, output, output_stride, rows, columns, flags};                                         \
        Rows r = {x, x_stride, rows, features, units, norm, (flags & kAlignedRows) != 0, parts, squares};         \
        dense<TERMS>(shared, r, prepared, Meeting{counters, lots}, w, epsilon, e, tiles, gate_up != 0);           \
    }

DENSE(dense_bf16, 3)
DENSE(dense_bf16_rounded, 1)
