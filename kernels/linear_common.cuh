// What every kernel of y = f(x) W^T shares: how rows are read, in which order sums are taken, and the epilogue.
//
// A row's result is the same bit for bit in every kernel of its storage type, whatever the number of rows. K is cut
// into kSegments segments of whole units of 64 features; a segment is one chain of sums in ascending k, and the
// segments are added in order. The skinny kernels give each warp a segment (split-K within the block, merged through
// shared memory, no atomics and no second launch); the dense kernels flush their sums at the same boundaries.
//
// RMSNorm is fused as y = r (x g) W^T with r = 1 / sqrt(mean(x^2) + epsilon): r leaves the sum, so that the rows are
// read once. The sum of squares has the same segments, four chains of a lane each.
//
// Features are permuted within blocks of 32: lane t of a quad takes the eight neighbours 8t .. 8t + 7, 32 bytes of a
// float32 row and 16 of a bf16 weight row, where the tensor core's own order would scatter pairs. The weights are
// packed in the same order, so that a lane's share of 8 columns by 32 features (bf16) or 64 (int8) is one 16-byte load
// and a warp's is 512 contiguous bytes.
#pragma once
#include "farm_device.cuh"

constexpr int kSegments = 8;                      // warps of a skinny block
constexpr int kUnit = 64;                         // features of a unit; the group of int8 scales
constexpr int kAccumulate = 1, kAlignedRows = 2;  // flags; the second: rows and norm weight begin at 16 bytes

struct Segment {
    int begin, end;  // units
};
FARM_DEVICE Segment segment_of(int index, int units) {
    return {index * units / kSegments, (index + 1) * units / kSegments};
}

// Eight neighbouring features of a row from `k` on, 0 beyond the last; 16-byte loads where the rows allow it. Nothing
// writes rows or norm weights during the kernel.
FARM_DEVICE void load_octet(const float* row, int k, int features, bool aligned, float (&v)[8]) {
    if (aligned && k + 8 <= features) {
        const float4* at = reinterpret_cast<const float4*>(row + k);
        float4 a = load_readonly(at), b = load_readonly(at + 1);
        v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w, v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
    } else {
        FARM_UNROLL
        for (int i = 0; i < 8; i++) v[i] = k + i < features ? row[k + i] : 0.0f;
    }
}

FARM_DEVICE float add_squares(const float (&v)[8], float sum) {
    FARM_UNROLL
    for (int i = 0; i < 8; i++) sum = fma(v[i], v[i], sum);
    return sum;
}

FARM_DEVICE float rms_factor(float squares, int features, float epsilon) {
    return 1.0f / square_root(squares / static_cast<float>(features) + epsilon);
}

// bf16: the eight features of rows g and g + 8 as the A fragments of two m16n8k16 products.
template <int Terms>
FARM_DEVICE void fragments(const float (&top)[8], const float (&bottom)[8], u32 (&a)[2][Terms][4]) {
    FARM_UNROLL
    for (int j = 0; j < 2; j++) FARM_UNROLL
    for (int half = 0; half < 2; half++) {
        u32 t[Terms], b[Terms];
        bf16_split<Terms>(top[4 * j + 2 * half], top[4 * j + 2 * half + 1], t);
        bf16_split<Terms>(bottom[4 * j + 2 * half], bottom[4 * j + 2 * half + 1], b);
        FARM_UNROLL
        for (int i = 0; i < Terms; i++) {
            a[j][i][2 * half] = t[i];
            a[j][i][2 * half + 1] = b[i];
        }
    }
}

// int8: a row's 16 features of a group that this lane holds, as bytes, and the group's scale: q = round(x / s), s =
// max |x| / 127 over the quad. A group of zeros (or of values whose scale would be subnormal) has bytes 0.
FARM_DEVICE float quantise(const float (&low)[8], const float (&high)[8], u32 (&bytes)[4]) {
    float peak = 0.0f;
    FARM_UNROLL
    for (int i = 0; i < 8; i++) peak = max_of(peak, max_of(abs_of(low[i]), abs_of(high[i])));
    peak = warp_max<4>(peak);
    float scale = peak / 127.0f;
    float inverse = scale >= 1.2e-38f ? 1.0f / scale : 0.0f;
    FARM_UNROLL
    for (int j = 0; j < 4; j++) {
        u32 packed = 0;
        FARM_UNROLL
        for (int i = 0; i < 4; i++) {
            float x = j < 2 ? low[4 * j + i] : high[4 * (j - 2) + i];
            // Adding 1.5 * 2^23 rounds to the nearest integer, ties to even, and leaves it in the low bits.
            packed |= (bits_of(x * inverse + 12582912.0f) & 0xFFu) << (8 * i);
        }
        bytes[j] = packed;
    }
    return scale;
}

struct Epilogue {
    const float* bias;  // or null
    float* output;
    int output_stride, rows, columns, flags;
};

FARM_DEVICE void finish(const Epilogue& e, int row, int column, float value) {
    if (row >= e.rows || column >= e.columns) return;
    float* at = e.output + static_cast<s64>(row) * e.output_stride + column;
    if (e.bias != nullptr) value += e.bias[column];
    if (e.flags & kAccumulate) value += *at;
    *at = value;
}

// A sum of column `column` of a tile of 8, and the sum beside it in the next tile: where gates and ups alternate, even
// tiles give the outputs.
FARM_DEVICE void finish_tiles(const Epilogue& e, int row, int tile, int column, float value, float next, bool scaled,
                              float factor, bool gate_up) {
    if (scaled) value *= factor;
    if (!gate_up) {
        finish(e, row, tile * 8 + column, value);
    } else if (tile % 2 == 0) {
        if (scaled) next *= factor;
        finish(e, row, tile / 2 * 8 + column, silu(value) * next);
    }
}
