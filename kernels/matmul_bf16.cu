// c [m, n] = op(a) op(b) (+ c) on tensor cores: bf16 operands, float32 sums (mma.sync m16n8k16), in the pipeline of
// CUTLASS's Ampere products: four stages of cp.async, tiles in swizzled shared memory, fragments by ldmatrix.
//
// Operands are planes of bf16 whose rows lie on 16 bytes. A float32 operand comes as one plane (rounded) or as three
// whose sum it is (bf16_split); the product is then the sum of the products of planes that `pairs` lists, smallest
// first, all into the same float32 sums: three pairs give float32 x bf16 exactly, six give float32 x float32 with what
// is left out below 2^-26 of a product (Henry, Tang and Heinecke, 2019).
//
// A block computes Side x Side outputs in steps of 32 of k. Neither operand is turned on the way: a tile of lines (k
// along the row, [index][32], 64-byte rows) has its chunks permuted by bits 1 and 2 of the row and is read by ldmatrix;
// a tile of columns (k across rows, [32][index]) has them permuted by the low 3 bits of k and is read by
// ldmatrix.trans. In both the 8 rows of a matrix lie in 8 different bank groups.
//
// Bytes (Side 128, per pair): m k ceil(n / 128) + n k ceil(m / 128) of 2 bytes in, 4 m n out. Flops: 2 m n k a pair.
// Shared memory: 64 KiB at Side 128 (8 warps of 64 x 32), 32 KiB at 64 (4 warps of 32 x 32). About 128 and 96
// registers.
#include "matmul_common.cuh"

constexpr int kDepth = 32;
constexpr int kStages = 4;

// Place of chunk `chunk` (8 elements) of row `row`.
template <bool Lines, int Side>
FARM_DEVICE int chunk_at(int row, int chunk) {
    return Lines ? row * (kDepth / 8) + (chunk ^ ((row >> 1) & 3)) : row * (Side / 8) + (chunk ^ (row & 7));
}

template <bool Lines, int Side, int Threads>
FARM_DEVICE void fetch(uint4* tile, const u16* source, int stride, int first, int extent, int k0, int depth) {
    constexpr int kChunks = Lines ? kDepth / 8 : Side / 8;
    FARM_UNROLL
    for (int i = 0; i < Side * kDepth / 8 / Threads; i++) {
        int c = i * Threads + thread_x(), row = c / kChunks, chunk = c % kChunks;
        int outer = (Lines ? first : k0) + row, inner = (Lines ? k0 : first) + chunk * 8;
        int left = (Lines ? depth : extent) - inner;
        bool inside = outer < (Lines ? extent : depth) && left > 0;
        const u16* from = inside ? source + static_cast<s64>(outer) * stride + inner : source;
        copy_async_16(tile + chunk_at<Lines, Side>(row, chunk), from, inside ? min_of(left, 8) * 2 : 0);
    }
}

// The 16 x 16 fragment of op(a) at row `row`, k16 step `step` of the tile.
template <bool Lines, int Side>
FARM_DEVICE void left_fragment(u32 (&r)[4], const uint4* tile, int row, int step) {
    int matrix = lane_id() >> 3, line = lane_id() & 7;
    if constexpr (Lines)
        load_matrix_x4(r, tile + chunk_at<true, Side>(row + (matrix & 1) * 8 + line, step * 2 + (matrix >> 1)));
    else
        load_matrix_x4_transposed(
            r, tile + chunk_at<false, Side>(step * 16 + (matrix >> 1) * 8 + line, row / 8 + (matrix & 1)));
}

// The fragments of op(b) of two tiles of 8 columns from `column`: r[0], r[1] of the first, r[2], r[3] of the second.
template <bool Lines, int Side>
FARM_DEVICE void right_fragments(u32 (&r)[4], const uint4* tile, int column, int step) {
    int matrix = lane_id() >> 3, line = lane_id() & 7;
    if constexpr (Lines)
        load_matrix_x4(r, tile + chunk_at<true, Side>(column + (matrix >> 1) * 8 + line, step * 2 + (matrix & 1)));
    else
        load_matrix_x4_transposed(
            r, tile + chunk_at<false, Side>(step * 16 + (matrix & 1) * 8 + line, column / 8 + (matrix >> 1)));
}

// `pairs` has 4 bits for each product, the first to do lowest: the plane of a in the low two, that of b above.
template <bool TransposeA, bool TransposeB, int Side>
FARM_DEVICE void matmul(uint4* shared, const u16* a, const u16* b, float* c, s64 a_plane, s64 b_plane, int a_stride,
                        int b_stride, int c_stride, int m, int n, int k, int pairs, int count, int accumulate) {
    constexpr int kWarpsDown = 2, kWarpsAcross = Side / 32, kThreads = 32 * kWarpsDown * kWarpsAcross;
    constexpr int kRows = Side / kWarpsDown, kTile = Side * kDepth / 8;
    constexpr bool kLinesA = !TransposeA, kLinesB = TransposeB;
    int tile_m, tile_n;
    place_tile(ceil_div(m, Side), ceil_div(n, Side), tile_m, tile_n);
    int first_m = tile_m * Side, first_n = tile_n * Side;
    int row0 = (warp_id() / kWarpsAcross) * kRows, column0 = (warp_id() % kWarpsAcross) * 32;
    int steps = ceil_div(k, kDepth) * count;

    // The step to fetch next: its place in k and its pair of planes, lowest bits.
    int fetch_k = 0, planes = pairs, issued = 0, next = 0;
    auto fetch_next = [&] {
        if (issued < steps) {
            fetch<kLinesA, Side, kThreads>(shared + next * 2 * kTile, a + (planes & 3) * a_plane, a_stride, first_m, m,
                                           fetch_k, k);
            fetch<kLinesB, Side, kThreads>(shared + (next * 2 + 1) * kTile, b + ((planes >> 2) & 3) * b_plane, b_stride,
                                           first_n, n, fetch_k, k);
            fetch_k += kDepth;
            if (fetch_k >= k) {
                fetch_k = 0;
                planes >>= 4;
            }
            issued++;
            next = next + 1 == kStages ? 0 : next + 1;
        }
        copy_async_commit();
    };
    FARM_UNROLL
    for (int s = 0; s < kStages - 1; s++) fetch_next();

    float sum[kRows / 16][4][4] = {};
    int stage = 0;
    FARM_NO_UNROLL
    for (int step = 0; step < steps; step++) {
        copy_async_wait<kStages - 2>();
        block_barrier();
        fetch_next();
        const uint4 *x = shared + stage * 2 * kTile, *y = x + kTile;
        FARM_UNROLL
        for (int half = 0; half < kDepth / 16; half++) {
            u32 right[2][4];
            right_fragments<kLinesB, Side>(right[0], y, column0, half);
            right_fragments<kLinesB, Side>(right[1], y, column0 + 16, half);
            FARM_UNROLL
            for (int i = 0; i < kRows / 16; i++) {
                u32 left[4];
                left_fragment<kLinesA, Side>(left, x, row0 + i * 16, half);
                FARM_UNROLL
                for (int j = 0; j < 4; j++)
                    mma_bf16(sum[i][j], left, right[j / 2][(j & 1) * 2], right[j / 2][(j & 1) * 2 + 1]);
            }
        }
        stage = stage + 1 == kStages ? 0 : stage + 1;
    }
    FARM_UNROLL
    for (int i = 0; i < kRows / 16; i++) {
        FARM_UNROLL
        for (int half = 0; half < 2; half++) {
            int row = first_m + row0 + i * 16 + half * 8 + (lane_id() >> 2);
            if (row >= m) continue;
            float* to = c + static_cast<s64>(row) * c_stride;
            FARM_UNROLL
            for (int j = 0; j < 4; j++) {
                int column = first_n + column0 + j * 8 + (lane_id() & 3) * 2;
                FARM_UNROLL
                for (int q = 0; q < 2; q++) {
                    float v = sum[i][j][half * 2 + q];
                    if (column + q < n) to[column + q] = accumulate ? v + to[column + q] : v;
                }
            }
        }
    }
}

#define FARM_MATMUL_BF16(name, transpose_a, transpose_b, side)                                                        \
    FARM_KERNEL(side * 2)                                                                                             \
    name(const u16* a, const u16* b, float* c, s64 a_plane, s64 b_plane, int a_stride, int b_stride, int c_stride,    \
         int m, int n, int k, int pairs, int count, int accumulate) {                                                 \
        extern __shared__ uint4 shared[];                                                                             \
        matmul<transpose_a, transpose_b, side>(shared, a, b, c, a_plane, b_plane, a_stride, b_stride, c_stride, m, n, \
                                               k, pairs, count, accumulate);                                          \
    }
FARM_MATMUL_BF16(matmul_bf16_nn_64, false, false, 64)
FARM_MATMUL_BF16(matmul_bf16_nt_64, false, true, 64)
FARM_MATMUL_BF16(matmul_bf16_tn_64, true, false, 64)
FARM_MATMUL_BF16(matmul_bf16_tt_64, true, true, 64)
FARM_MATMUL_BF16(matmul_bf16_nn_128, false, false, 128)
FARM_MATMUL_BF16(matmul_bf16_nt_128, false, true, 128)
FARM_MATMUL_BF16(matmul_bf16_tn_128, true, false, 128)
FARM_MATMUL_BF16(matmul_bf16_tt_128, true, true, 128)
