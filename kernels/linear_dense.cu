// y = f(x) W^T with bf16 weights for many rows (prefill, scoring): a multistage tensor-core product.
//
// Both operands lie as fragments: the weights are packed so (linear_common.cuh), the rows are brought into that order
// first by dense_pack, times the norm's weight and split into Terms terms of bf16. A block of 8 warps takes 128 rows by
// 128 columns, a warp 64 by 32; per 32 features a stage of [8 row tiles][2][Terms][512 bytes] and [16 column tiles][512
// bytes] comes by cp.async, three stages in flight. Because fragments are what is copied, no swizzle and no ldmatrix is
// needed: every shared load is 16 bytes a lane at consecutive addresses, without bank conflicts.
//   bytes   2 N K for every 128 rows and 2 Terms rows K for every 128 columns, the pack 4 + 2 Terms per row and feature
//   flops   2 rows N K times Terms; a stage of 96 products of a warp (Terms = 3) waits for 24 KB + 8 KB
//   shared  3 x (8 Terms + 8) KB: 96 KB, or 48 KB for one term
//   registers (expected)  64 sums of the segment, 64 of the row so far, about 190 in all
// The sums are those of linear_skinny.cu bit for bit.
#include "linear_common.cuh"

constexpr int kThreads = 256, kStages = 3, kRowTiles = 8, kColumnTiles = 16;

// A warp takes 16 rows by 32 features.
template <int Terms>
FARM_DEVICE void dense_pack(const float* x, int x_stride, const float* norm, int rows, int features, int units,
                            int flags, uint4* packed) {
    int lane = lane_id(), g = lane / 4, t = lane % 4, block = block_x() * 4 + warp_id(), tile = block_y();
    if (block >= 2 * units) return;
    bool aligned = (flags & kAlignedRows) != 0;
    int k = block * 32 + 8 * t;
    float v[2][8], gain[8];
    if (norm != nullptr) load_octet(norm, k, features, aligned, gain);
    FARM_UNROLL
    for (int half = 0; half < 2; half++) {
        int row = min_of(tile * 16 + g + 8 * half, rows - 1);
        load_octet(x + static_cast<s64>(row) * x_stride, k, features, aligned, v[half]);
        if (norm != nullptr) FARM_UNROLL
        for (int i = 0; i < 8; i++) v[half][i] *= gain[i];
    }
    u32 a[2][Terms][4];
    fragments<Terms>(v[0], v[1], a);
    uint4* to = packed + (static_cast<s64>(tile) * (2 * units) + block) * (2 * Terms * 32) + lane;
    FARM_UNROLL
    for (int j = 0; j < 2; j++) FARM_UNROLL
    for (int i = 0; i < Terms; i++) to[(j * Terms + i) * 32] = uint4{a[j][i][0], a[j][i][1], a[j][i][2], a[j][i][3]};
}
FARM_KERNEL(128)
dense_pack_bf16(const float* __restrict__ x, int x_stride, const float* __restrict__ norm, int rows, int features,
                int units, int flags, uint4* packed) {
    dense_pack<3>(x, x_stride, norm, rows, features, units, flags, packed);
}
FARM_KERNEL(128)
dense_pack_bf16_rounded(const float* __restrict__ x, int x_stride, const float* __restrict__ norm, int rows,
                        int features, int units, int flags, uint4* packed) {
    dense_pack<1>(x, x_stride, norm, rows, features, units, flags, packed);
}

// The factor of each row's norm, a warp a row: lane 4 s + t has the chain of segment s and octet t that a lane of a
// skinny block's warp s has.
FARM_KERNEL(128)
dense_factors(const float* __restrict__ x, int x_stride, float epsilon, int rows, int features, int units, int flags,
              float* factors) {
    int row = block_x() * 4 + warp_id(), lane = lane_id();
    if (row >= rows) return;
    bool aligned = (flags & kAlignedRows) != 0;
    Segment segment = segment_of(lane / 4, units);
    float squares = 0.0f;
    FARM_NO_UNROLL
    for (int block = 2 * segment.begin; block < 2 * segment.end; block++) {
        float v[8];
        load_octet(x + static_cast<s64>(row) * x_stride, block * 32 + 8 * (lane % 4), features, aligned, v);
        squares = add_squares(v, squares);
    }
    warp_barrier();
    squares = warp_sum<4>(squares);
    float sum = 0.0f;
    FARM_UNROLL
    for (int s = 0; s < kSegments; s++) sum += shuffle(squares, 4 * s);
    if (lane == 0) factors[row] = rms_factor(sum, features, epsilon);
}

template <int Terms>
FARM_DEVICE void dense(u8* shared, const uint4* x, const uint4* w, const float* factors, const Epilogue& e, int units,
                       int tiles, bool gate_up) {
    constexpr int kTileWords = 2 * Terms * 32, kRowWords = kRowTiles * kTileWords;
    constexpr int kStageWords = kRowWords + kColumnTiles * 32;
    uint4* stages = reinterpret_cast<uint4*>(shared);
    int lane = lane_id(), warp = warp_id(), warp_row = warp / 4, warp_column = warp % 4;
    int row_tile0 = block_y() * kRowTiles, tile0 = block_x() * kColumnTiles, blocks = 2 * units;
    int row_tiles = ceil_div(e.rows, 16);

    auto issue = [&](int block) {
        if (block < blocks) {
            uint4* stage = stages + block % kStages * kStageWords;
            FARM_UNROLL
            for (int i = 0; i < kRowWords / kThreads; i++) {
                int at = i * kThreads + thread_x(), tile = at / kTileWords;
                s64 from = static_cast<s64>(min_of(row_tile0 + tile, row_tiles - 1)) * blocks + block;
                copy_async_16(stage + at, x + from * kTileWords + at % kTileWords);
            }
            FARM_UNROLL
            for (int i = 0; i < kColumnTiles * 32 / kThreads; i++) {
                int at = i * kThreads + thread_x();
                s64 from = static_cast<s64>(min_of(tile0 + at / 32, tiles - 1)) * blocks + block;
                copy_async_16(stage + kRowWords + at, w + from * 32 + at % 32);
            }
        }
        copy_async_commit();
    };
    FARM_UNROLL
    for (int i = 0; i < kStages - 1; i++) issue(i);

    float acc[4][4][4] = {}, total[4][4][4] = {};
    // Segments without a unit add nothing and are passed over.
    int segment = 0, segment_end = 0;
    auto next_segment = [&] {
        int before = segment_end;
        while (segment < kSegments && segment_end == before) segment_end = segment_of(segment++, units).end;
    };
    next_segment();
    FARM_NO_UNROLL
    for (int block = 0; block < blocks; block++) {
        copy_async_wait<kStages - 2>();
        block_barrier();
        issue(block + kStages - 1);
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
        if (block + 1 == 2 * segment_end) {
            FARM_UNROLL
            for (int m = 0; m < 4; m++) FARM_UNROLL
            for (int n = 0; n < 4; n++) FARM_UNROLL
            for (int i = 0; i < 4; i++) {
                total[m][n][i] += acc[m][n][i];
                acc[m][n][i] = 0.0f;
            }
            next_segment();
        }
    }
    copy_async_wait<0>();

    int g = lane / 4, t = lane % 4;
    FARM_UNROLL
    for (int m = 0; m < 4; m++) FARM_UNROLL
    for (int half = 0; half < 2; half++) {
        int row = (row_tile0 + warp_row * 4 + m) * 16 + g + 8 * half;
        if (row >= e.rows) continue;
        float factor = factors != nullptr ? factors[row] : 1.0f;
        FARM_UNROLL
        for (int n = 0; n < 4; n++) FARM_UNROLL
        for (int i = 0; i < 2; i++)
            finish_tiles(e, row, tile0 + warp_column * 4 + n, 2 * t + i, total[m][n][2 * half + i],
                         total[m][n | 1][2 * half + i], factors != nullptr, factor, gate_up);
    }
}

#define DENSE(NAME, TERMS)                                                                                   \
    FARM_KERNEL(kThreads)                                                                                    \
    NAME(const uint4* __restrict__ x, const uint4* __restrict__ w, const float* __restrict__ factors,        \
         const float* __restrict__ bias, float* output, int output_stride, int rows, int columns, int units, \
         int tiles, int gate_up, int flags) {                                                                \
        extern __shared__ __attribute__((aligned(128))) u8 shared[];                                         \
        Epilogue e = {bias, output, output_stride, rows, columns, flags};                                    \
        dense<TERMS>(shared, x, w, factors, e, units, tiles, gate_up != 0);                                  \
    }

DENSE(dense_bf16, 3)
DENSE(dense_bf16_rounded, 1)
