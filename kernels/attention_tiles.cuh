// Keys and values of bf16 in shared memory, as the attention kernels copy and read them.
#pragma once
#include "attention_common.cuh"

// Keys that the online softmax takes at once.
constexpr int kKeys = 64;

// Place of eight neighbouring elements of a row of keys or values. Rows are D + 8 elements apart, or, where that would
// set two rows that are copied at once on the same banks, D apart with their chunks permuted by bits 1 and 2 of the
// row.
template <int D>
FARM_DEVICE int place(int row, int column) {
    if constexpr (D == 32)
        return row * D + ((column / 8) ^ ((row >> 1) & 3)) * 8;
    else
        return row * (D + 8) + column;
}

// Rows of keys or values by the threads of W warps; zeros beyond the head's width and beyond the last key.
template <int D, int W, int Rows = kKeys>
FARM_DEVICE void copy_tile(u16* to, const u16* from, int pitch, int keys, int thread) {
    constexpr int kChunks = D / 8;
    FARM_UNROLL
    for (int i = 0; i < Rows * kChunks / (32 * W); i++) {
        int at = i * 32 * W + thread, key = at / kChunks, column = at % kChunks * 8;
        bool inside = key < keys && column < pitch;
        copy_async_16(to + place<D>(key, column), from + (inside ? key * pitch + column : 0), inside ? 16 : 0);
    }
    copy_async_commit();
}

// A step of the online softmax, base 2: the products of two rows with kKeys keys, of which this lane's first is
// `first`, become their weights under the largest score so far; what was summed up under the one before is brought to
// it. Keys from a row's limit on have no weight.
template <int D>
FARM_DEVICE void take_scores(float (&s)[kKeys / 8][4], int first, const int (&limit)[2], float factor,
                             float (&maximum)[2], float (&sum)[2], float (&out)[D / 8][4]) {
    float block_maximum[2] = {kNoMaximum, kNoMaximum};
    FARM_UNROLL
    for (int n = 0; n < kKeys / 8; n++) FARM_UNROLL
    for (int i = 0; i < 4; i++) {
        int key = first + n * 8 + i % 2;
        s[n][i] = key < limit[i / 2] ? s[n][i] * factor : -__builtin_inff();
        block_maximum[i / 2] = max_of(block_maximum[i / 2], s[n][i]);
    }
    float correction[2];
    FARM_UNROLL
    for (int i = 0; i < 2; i++) {
        float now = max_of(maximum[i], warp_max<4>(block_maximum[i]));
        correction[i] = fast_exp2(maximum[i] - now);
        maximum[i] = now;
        sum[i] *= correction[i];
    }
    FARM_UNROLL
    for (int n = 0; n < kKeys / 8; n++) FARM_UNROLL
    for (int i = 0; i < 4; i++) {
        s[n][i] = fast_exp2(s[n][i] - maximum[i / 2]);
        sum[i / 2] += s[n][i];
    }
    FARM_UNROLL
    for (int n = 0; n < D / 8; n++) FARM_UNROLL
    for (int i = 0; i < 4; i++) out[n][i] *= correction[i / 2];
}
