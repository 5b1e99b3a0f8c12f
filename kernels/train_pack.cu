// Operands of the training products brought into the shape their kernels read: rows whose first element lies on 16
// bytes, filled up with zeros to a multiple of 16 bytes. Bandwidth-bound: a product uses every element hundreds of
// times.
//
// A row of `groups` runs of `width` elements becomes `groups` runs of `pitch` elements, run r of a row at r * pitch;
// attention packs its heads so, a matrix is one run. bf16 with three terms writes three planes, `plane` elements apart,
// whose sum is the float32 value exactly (bf16_split).
#include "farm_device.cuh"

constexpr int kThreads = 256;

// Bytes: 4 read and 2 * Terms written for each element. Grid: rows by blocks of 512 output elements; a thread makes a
// pair.
template <int Terms>
FARM_DEVICE void pack_bf16(const float* __restrict__ source, u32* __restrict__ packed, s64 plane, int stride,
                           int groups, int width, int pitch) {
    int at = (block_y() * kThreads + thread_x()) * 2;
    if (at >= groups * pitch) return;
    int group = at / pitch, column = at - group * pitch;
    const float* row = source + static_cast<s64>(block_x()) * stride + group * width;
    float low = column < width ? row[column] : 0.0f, high = column + 1 < width ? row[column + 1] : 0.0f;
    u32 term[Terms];
    bf16_split<Terms>(low, high, term);
    s64 to = static_cast<s64>(block_x()) * groups * pitch + at;
    FARM_UNROLL
    for (int i = 0; i < Terms; i++) packed[(i * plane + to) / 2] = term[i];
}

FARM_KERNEL(kThreads)
pack_bf16_1(const float* __restrict__ source, u32* __restrict__ packed, s64 plane, int stride, int groups, int width,
            int pitch) {
    pack_bf16<1>(source, packed, plane, stride, groups, width, pitch);
}
FARM_KERNEL(kThreads)
pack_bf16_3(const float* __restrict__ source, u32* __restrict__ packed, s64 plane, int stride, int groups, int width,
            int pitch) {
    pack_bf16<3>(source, packed, plane, stride, groups, width, pitch);
}

// A matrix of bf16 whose rows do not lie on 16 bytes. Bytes: 2 read, 2 written.
FARM_KERNEL(kThreads)
pack_from_bf16(const u16* __restrict__ source, u16* __restrict__ packed, int stride, int width, int pitch) {
    int column = block_y() * kThreads + thread_x();
    if (column >= pitch) return;
    packed[static_cast<s64>(block_x()) * pitch + column] =
        column < width ? source[static_cast<s64>(block_x()) * stride + column] : static_cast<u16>(0);
}

// A matrix of float32 whose rows do not lie on 16 bytes. Bytes: 4 read, 4 written.
FARM_KERNEL(kThreads)
pack_f32(const float* __restrict__ source, float* __restrict__ packed, int stride, int width, int pitch) {
    int column = block_y() * kThreads + thread_x();
    if (column >= pitch) return;
    packed[static_cast<s64>(block_x()) * pitch + column] =
        column < width ? source[static_cast<s64>(block_x()) * stride + column] : 0.0f;
}
