// What the forward and the backward of training attention share: tiles of packed heads in swizzled shared memory, the
// two products on tensor cores, and the sequence that a tile belongs to.
//
// Heads come packed as bf16 (train_pack.cu): [Terms][T][heads][D], D a multiple of 64 with zeros behind the head's
// width. One term is the rounding to bf16; three terms are the float32 values, and a product of two such operands is
// the six products of terms above 2^-26 of it, smallest first (Henry, Tang and Heinecke, 2019).
#pragma once
#include "farm_device.cuh"

// The row of a tile has D elements: chunks of 16 bytes, permuted by the low three bits of the row, so that the 8 rows
// of a matrix of ldmatrix lie in 8 different bank groups, as do the 8 chunks that a quarter warp copies.
template <int D>
FARM_DEVICE int chunk_at(int row, int chunk) {
    return row * (D / 8) + (chunk ^ (row & 7));
}

// The first `rows` rows of a head from `source` on, zeros behind them; Terms planes one after another.
template <int D, int Rows, int Terms, int Threads>
FARM_DEVICE void fetch_tile(uint4* tile, const u16* source, s64 plane, s64 pitch, int rows) {
    constexpr int kChunks = Rows * D / 8;
    static_assert(kChunks % Threads == 0, "every thread copies the same number of chunks");
    FARM_UNROLL
    for (int term = 0; term < Terms; term++) {
        FARM_UNROLL
        for (int i = 0; i < kChunks / Threads; i++) {
            int c = i * Threads + thread_x(), row = c / (D / 8), chunk = c % (D / 8);
            bool inside = row < rows;
            copy_async_16(tile + term * kChunks + chunk_at<D>(row, chunk),
                          source + term * plane + (inside ? row * pitch + chunk * 8 : 0), inside ? 16 : 0);
        }
    }
}

// Products of terms worth doing, smallest first.
template <int Terms>
struct Pairs {
    static constexpr int kCount = 1;
    static constexpr int left(int) { return 0; }
    static constexpr int right(int) { return 0; }
};
template <>
struct Pairs<3> {
    static constexpr int kCount = 6;
    static constexpr int left(int i) { return i == 0 ? 2 : i == 1 || i == 3 ? 1 : 0; }
    static constexpr int right(int i) { return i == 2 ? 2 : i == 1 || i == 4 ? 1 : 0; }
};

// s [16 x Columns] += rows row0 .. row0 + 16 of x times the rows of y, over D.
template <int D, int XRows, int Columns, int Terms>
FARM_DEVICE void scores(float (&s)[Columns / 8][4], const uint4* x, int row0, const uint4* y) {
    int matrix = lane_id() >> 3, line = lane_id() & 7;
    // Unrolled in part: the code of wide heads with three terms would not fit the instruction cache.
    _Pragma("unroll 4") for (int step = 0; step < D / 16; step++) {
        u32 a[Terms][4];
        FARM_UNROLL
        for (int t = 0; t < Terms; t++)
            load_matrix_x4(
                a[t], x + t * XRows * (D / 8) + chunk_at<D>(row0 + (matrix & 1) * 8 + line, step * 2 + (matrix >> 1)));
        FARM_UNROLL
        for (int n = 0; n < Columns / 16; n++) {
            u32 b[Terms][4];
            FARM_UNROLL
            for (int t = 0; t < Terms; t++)
                load_matrix_x4(b[t], y + t * Columns * (D / 8) +
                                         chunk_at<D>(n * 16 + (matrix >> 1) * 8 + line, step * 2 + (matrix & 1)));
            FARM_UNROLL
            for (int p = 0; p < Pairs<Terms>::kCount; p++) {
                const u32(&l)[4] = a[Pairs<Terms>::left(p)], (&r)[4] = b[Pairs<Terms>::right(p)];
                mma_bf16(s[2 * n], l, r[0], r[1]);
                mma_bf16(s[2 * n + 1], l, r[2], r[3]);
            }
        }
    }
}

// The left operand of the second product: sums of the first, two tiles of 8 columns side by side.
template <int Terms, int Columns>
FARM_DEVICE void to_operand(const float (&s)[Columns / 8][4], u32 (&p)[Terms][Columns / 16][4]) {
    FARM_UNROLL
    for (int j = 0; j < Columns / 16; j++) {
        FARM_UNROLL
        for (int i = 0; i < 4; i++) {
            u32 term[Terms];
            bf16_split<Terms>(s[2 * j + i / 2][(i & 1) * 2], s[2 * j + i / 2][(i & 1) * 2 + 1], term);
            FARM_UNROLL
            for (int t = 0; t < Terms; t++) p[t][j][i] = term[t];
        }
    }
}

// sum [16 x Width] += p [16 x Rows] times the Rows rows of y, columns column0 .. column0 + Width.
template <int D, int Width, int Rows, int Terms>
FARM_DEVICE void accumulate(float (&sum)[Width / 8][4], const u32 (&p)[Terms][Rows / 16][4], const uint4* y,
                            int column0) {
    int matrix = lane_id() >> 3, line = lane_id() & 7;
    FARM_UNROLL
    for (int step = 0; step < Rows / 16; step++) {
        FARM_UNROLL
        for (int n = 0; n < Width / 16; n++) {
            u32 b[Terms][4];
            FARM_UNROLL
            for (int t = 0; t < Terms; t++)
                load_matrix_x4_transposed(
                    b[t], y + t * Rows * (D / 8) +
                              chunk_at<D>(step * 16 + (matrix & 1) * 8 + line, column0 / 8 + n * 2 + (matrix >> 1)));
            FARM_UNROLL
            for (int i = 0; i < Pairs<Terms>::kCount; i++) {
                const u32(&l)[4] = p[Pairs<Terms>::left(i)][step], (&r)[4] = b[Pairs<Terms>::right(i)];
                mma_bf16(sum[2 * n], l, r[0], r[1]);
                mma_bf16(sum[2 * n + 1], l, r[2], r[3]);
            }
        }
    }
}

// e^x: to the last place where the operands are float32, else the device's approximation.
template <int Terms>
FARM_DEVICE float exponential(float x) {
    if constexpr (Terms == 1)
        return fast_exp2(x * kLog2E);
    else
        return exp_exact(x);
}

// Tiles of `Rows` rows begin anew with every sequence, so that a sequence's result does not depend on its neighbours.
// Finds, by every warp for itself, the sequence of a block's tile: its first row, its length and the tile's first row
// within it, the last tiles first as they have the most keys. False where there are fewer tiles.
template <int Rows>
FARM_DEVICE bool find_tile(const int* starts, int sequences, int& first, int& length, int& row0) {
    int base = 0, tile = block_x(), lane = lane_id();
    FARM_NO_UNROLL
    for (int s0 = 0; s0 < sequences; s0 += 32) {
        int s = min_of(s0 + lane, sequences - 1), begin = starts[s],
            rows = s0 + lane < sequences ? starts[s + 1] - begin : 0;
        int tiles = (rows + Rows - 1) / Rows, end = tiles;
        FARM_UNROLL
        for (int d = 1; d < 32; d *= 2) {
            int other = shuffle(end, lane >= d ? lane - d : lane);
            end += lane >= d ? other : 0;
        }
        u32 here = ballot(tile < base + end && tile >= base + end - tiles);
        if (here != 0) {
            int owner = bits_set((here & (0u - here)) - 1);
            first = shuffle(begin, owner);
            length = shuffle(rows, owner);
            int last = shuffle(base + end - 1, owner), count = shuffle(tiles, owner);
            row0 = (count - 1 - (tile - (last - count + 1))) * Rows;
            return true;
        }
        base += shuffle(end, 31);
    }
    return false;
}
