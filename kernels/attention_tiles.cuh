// Keys and values of bf16 in shared memory, as the attention kernels copy and read them.
#pragma once
#include "farm_device.cuh"

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
