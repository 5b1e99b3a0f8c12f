// c [m, n] = op(a) op(b) (+ c), all float32, every product and sum a float32 fma in the order of k: the result has the
// same bits for every tile size and layout. Register-tiled outer products over a three-stage cp.async pipeline (Volkov
// and Demmel, "Benchmarking GPUs to Tune Dense Linear Algebra", 2008; the thread tile of 8 x 8 as in CUTLASS's SIMT
// products).
//
// A block computes Side x Side outputs in steps of 16 of k, a thread 8 x 8. Neither operand is turned on the way: a
// tile keeps the order of memory, and only the way it is read differs.
//   k runs along the row ("lines"): a tile [index][16], its four 16-byte chunks of a row permuted by bits 1 and 2 of
//     the row, so that the 8 rows a quarter warp reads at one k lie in 8 different bank groups; a thread owns indices
//     t + i * Side / 8 and reads four k at once;
//   k runs across rows ("columns"): a tile [16][index]; a thread owns two runs of four neighbours and reads them at
//     one k.
// Both read 16 x 16 bytes of shared memory for 256 fma, without bank conflicts: lanes of a quarter warp differ in
// their column alone, so that left operands are broadcast.
//
// Bytes (Side 128): m k ceil(n / 128) + n k ceil(m / 128) floats in, m n out (and in, where it accumulates). Flops: 2 m
// n k. Shared memory: 48 KiB at Side 128 (256 threads), 24 KiB at 64 (64 threads). About 168 registers.
#include "matmul_common.cuh"

constexpr int kDepth = 16;
constexpr int kStages = 3;

// Place of 16-byte chunk `chunk` of row `row` in a tile of lines.
FARM_DEVICE int line_chunk(int row, int chunk) {
    return row * (kDepth / 4) + (chunk ^ ((row >> 1) & 3));
}

// Indices first .. first + Side of an operand at k0 .. k0 + 16; what lies outside is zero.
template <bool Lines, int Side, int Threads>
FARM_DEVICE void fetch(float4* tile, const float* source, int stride, int first, int extent, int k0, int depth) {
    FARM_UNROLL
    for (int i = 0; i < Side * kDepth / 4 / Threads; i++) {
        int c = i * Threads + thread_x();
        int row = Lines ? c / (kDepth / 4) : c / (Side / 4), chunk = Lines ? c % (kDepth / 4) : c % (Side / 4);
        int outer = (Lines ? first : k0) + row, inner = (Lines ? k0 : first) + chunk * 4;
        int left = (Lines ? depth : extent) - inner;
        bool inside = outer < (Lines ? extent : depth) && left > 0;
        const float* from = inside ? source + static_cast<s64>(outer) * stride + inner : source;
        copy_async_16(tile + (Lines ? line_chunk(row, chunk) : c), from, inside ? min_of(left, 4) * 4 : 0);
    }
}

// The index, within the tile, of a thread's value i.
template <bool Lines, int Side>
FARM_DEVICE int owned(int t, int i) {
    return Lines ? t + i * (Side / 8) : t * 4 + (i & 3) + (i >> 2) * (Side / 2);
}

// A thread's 8 values at k = 4 chunk .. 4 chunk + 3.
template <bool Lines, int Side>
FARM_DEVICE void read(float (&v)[4][8], const float4* tile, int t, int chunk) {
    FARM_UNROLL
    for (int i = 0; i < 8; i++) {
        if constexpr (Lines) {
            float4 x = tile[line_chunk(owned<true, Side>(t, i), chunk)];
            v[0][i] = x.x;
            v[1][i] = x.y;
            v[2][i] = x.z;
            v[3][i] = x.w;
        } else {
            float4 x = tile[(chunk * 4 + i / 2) * (Side / 4) + t + (i & 1) * (Side / 8)];
            int at = (i & 1) * 4;
            v[i / 2][at] = x.x;
            v[i / 2][at + 1] = x.y;
            v[i / 2][at + 2] = x.z;
            v[i / 2][at + 3] = x.w;
        }
    }
}

template <bool TransposeA, bool TransposeB, int Side>
FARM_DEVICE void matmul(const float* a, const float* b, float* c, int a_stride, int b_stride, int c_stride, int m,
                        int n, int k, int accumulate, int wide) {
    constexpr int kThreads = Side * Side / 64, kTile = Side * kDepth / 4;
    constexpr bool kLinesA = !TransposeA, kLinesB = TransposeB;
    static __shared__ float4 tiles[kStages][2][kTile];
    int tile_m, tile_n;
    place_tile(ceil_div(m, Side), ceil_div(n, Side), tile_m, tile_n);
    int first_m = tile_m * Side, first_n = tile_n * Side, steps = ceil_div(k, kDepth);
    // A warp covers 4 x 8 threads of the tile; a quarter warp has one row and 8 neighbouring columns.
    constexpr int kWarpsAcross = Side / 64;
    int tx = (warp_id() % kWarpsAcross) * 8 + (lane_id() & 7), ty = (warp_id() / kWarpsAcross) * 4 + (lane_id() >> 3);

    FARM_UNROLL
    for (int s = 0; s < kStages - 1; s++) {
        if (s < steps) {
            fetch<kLinesA, Side, kThreads>(tiles[s][0], a, a_stride, first_m, m, s * kDepth, k);
            fetch<kLinesB, Side, kThreads>(tiles[s][1], b, b_stride, first_n, n, s * kDepth, k);
        }
        copy_async_commit();
    }
    float sum[8][8] = {};
    int stage = 0, next = kStages - 1;
    FARM_NO_UNROLL
    for (int step = 0; step < steps; step++) {
        copy_async_wait<kStages - 2>();
        block_barrier();
        if (step + kStages - 1 < steps) {
            fetch<kLinesA, Side, kThreads>(tiles[next][0], a, a_stride, first_m, m, (step + kStages - 1) * kDepth, k);
            fetch<kLinesB, Side, kThreads>(tiles[next][1], b, b_stride, first_n, n, (step + kStages - 1) * kDepth, k);
        }
        copy_async_commit();
        FARM_UNROLL
        for (int chunk = 0; chunk < kDepth / 4; chunk++) {
            float x[4][8], y[4][8];
            read<kLinesA, Side>(x, tiles[stage][0], ty, chunk);
            read<kLinesB, Side>(y, tiles[stage][1], tx, chunk);
            FARM_UNROLL
            for (int q = 0; q < 4; q++) FARM_UNROLL
            for (int i = 0; i < 8; i++) FARM_UNROLL
            for (int j = 0; j < 8; j++) sum[i][j] = fma(x[q][i], y[q][j], sum[i][j]);
        }
        stage = stage + 1 == kStages ? 0 : stage + 1;
        next = next + 1 == kStages ? 0 : next + 1;
    }
    FARM_UNROLL
    for (int i = 0; i < 8; i++) {
        int row = first_m + owned<kLinesA, Side>(ty, i);
        if (row >= m) continue;
        float* to = c + static_cast<s64>(row) * c_stride + first_n;
        FARM_UNROLL
        for (int j = 0; j < 8; j += 4) {
            int column = owned<kLinesB, Side>(tx, j);
            if (!kLinesB && wide && first_n + column + 3 < n) {
                float4 v = {sum[i][j], sum[i][j + 1], sum[i][j + 2], sum[i][j + 3]};
                float4* at = reinterpret_cast<float4*>(to + column);
                *at = accumulate ? v + *at : v;
                continue;
            }
            FARM_UNROLL
            for (int q = 0; q < 4; q++) {
                column = owned<kLinesB, Side>(tx, j + q);
                if (first_n + column < n) to[column] = accumulate ? sum[i][j + q] + to[column] : sum[i][j + q];
            }
        }
    }
}

#define FARM_MATMUL_F32(name, transpose_a, transpose_b, side)                                                     \
    FARM_KERNEL((side) * (side) / 64)                                                                             \
    name(const float* a, const float* b, float* c, int a_stride, int b_stride, int c_stride, int m, int n, int k, \
         int accumulate, int wide) {                                                                              \
        matmul<transpose_a, transpose_b, side>(a, b, c, a_stride, b_stride, c_stride, m, n, k, accumulate, wide); \
    }
FARM_MATMUL_F32(matmul_f32_nn_64, false, false, 64)
FARM_MATMUL_F32(matmul_f32_nt_64, false, true, 64)
FARM_MATMUL_F32(matmul_f32_tn_64, true, false, 64)
FARM_MATMUL_F32(matmul_f32_tt_64, true, true, 64)
FARM_MATMUL_F32(matmul_f32_nn_128, false, false, 128)
FARM_MATMUL_F32(matmul_f32_nt_128, false, true, 128)
FARM_MATMUL_F32(matmul_f32_tn_128, true, false, 128)
FARM_MATMUL_F32(matmul_f32_tt_128, true, true, 128)
