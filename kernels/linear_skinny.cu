// y = f(x) W^T for few rows (decode), weights in bf16 or int8: the weights are streamed once, straight from memory to
// the registers of the one warp that multiplies them.
//
// A block of 8 warps takes 16 MT rows by 8 NT columns; each warp one eighth of K (linear_common.cuh). Per 64 features a
// warp loads NT x 1 KB (bf16) or NT x 512 bytes (int8) of weights, 16 bytes a lane, contiguous, one step ahead of the
// products; the rows come from L2 and become fragments in registers. No shared memory is touched in the loop, so there
// are no bank conflicts in it; the merge writes [8][16][8 NT + 8] floats, 20 or 36 KB, conflict-free.
//   bytes  2 N K (bf16) or 17/16 N K (int8), plus rows once from memory (again from L2 for every 8 NT columns)
//   flops  2 rows N K, times Terms on the tensor cores for bf16
//   registers (expected)  MT = 1: about 120 to 170; MT = 4, NT = 4: about 200
//
// bf16 rows: three terms of bf16 hold a float32 exactly, so the product rounds as one in float32 does; one term (the
// rows rounded to bf16, relative error 2^-9 of each) is what the engine uses where it is asked for bf16 activations.
// Three products in place of one cost nothing while the weights' stream is the limit: at 16 rows 48 flops a byte.
// int8: the sum over a group of 64 is exact in int32, as in native/cpu; one fused multiply-add per group and element.
#include "linear_common.cuh"

constexpr int kThreads = 32 * kSegments;

// Sums of the warps' segments to the output; one m16 tile at a time through shared memory.
template <int MT, int NT>
FARM_DEVICE void merge(const float (&acc)[MT][NT][4], const float (&squares)[MT][2], const Epilogue& e, int row0,
                       int tile0, bool norm, float epsilon, int features, bool gate_up) {
    constexpr int kColumns = 8 * NT, kPitch = kColumns + 8;
    __shared__ __attribute__((aligned(16))) float part[kSegments][16][kPitch];
    __shared__ float square_part[kSegments][16];
    int lane = lane_id(), g = lane / 4, t = lane % 4, warp = warp_id();
    FARM_UNROLL
    for (int m = 0; m < MT; m++) {
        if (m > 0) block_barrier();
        FARM_UNROLL
        for (int n = 0; n < NT; n++) {
            store2(&part[warp][g][8 * n + 2 * t], float2{acc[m][n][0], acc[m][n][1]});
            store2(&part[warp][g + 8][8 * n + 2 * t], float2{acc[m][n][2], acc[m][n][3]});
        }
        if (norm) {
            float top = warp_sum<4>(squares[m][0]), bottom = warp_sum<4>(squares[m][1]);
            if (t == 0) {
                square_part[warp][g] = top;
                square_part[warp][g + 8] = bottom;
            }
        }
        block_barrier();
        FARM_UNROLL
        for (int i = 0; i < 16 * kColumns / kThreads; i++) {
            int at = i * kThreads + thread_x(), row = at / kColumns, column = at % kColumns;
            if (gate_up && (column / 8) % 2 != 0) continue;
            float factor = 1.0f;
            if (norm) {
                float sum = 0.0f;
                FARM_UNROLL
                for (int w = 0; w < kSegments; w++) sum += square_part[w][row];
                factor = rms_factor(sum, features, epsilon);
            }
            float value = 0.0f;
            FARM_UNROLL
            for (int w = 0; w < kSegments; w++) value += part[w][row][column];
            if (norm) value *= factor;
            if (gate_up) {
                float up = 0.0f;
                FARM_UNROLL
                for (int w = 0; w < kSegments; w++) up += part[w][row][column + 8];
                if (norm) up *= factor;
                finish(e, row0 + 16 * m + row, (tile0 + column / 8) / 2 * 8 + column % 8, silu(value) * up);
            } else {
                finish(e, row0 + 16 * m + row, tile0 * 8 + column, value);
            }
        }
    }
}

// Rows g and g + 8 of tile m at features k .. k + 7, times the norm's weight where there is one.
FARM_DEVICE void load_rows(const float* x, s64 stride, int rows, int row, int k, int features, bool aligned,
                           const float* norm, const float (&gain)[8], float (&v)[8], float& squares) {
    load_octet(x + min_of(row, rows - 1) * stride, k, features, aligned, v);
    if (norm != nullptr) {
        squares = add_squares(v, squares);
        FARM_UNROLL
        for (int i = 0; i < 8; i++) v[i] *= gain[i];
    }
}

template <int MT, int NT, int Terms>
FARM_DEVICE void skinny_bf16(const float* x, int x_stride, const uint4* w, const float* norm, float epsilon,
                             const Epilogue& e, int features, int units, int tiles, bool gate_up) {
    int lane = lane_id(), g = lane / 4, t = lane % 4;
    int tile0 = block_x() * NT, row0 = block_y() * 16 * MT;
    bool aligned = (e.flags & kAlignedRows) != 0;
    Segment segment = segment_of(warp_id(), units);
    const uint4* column[NT];
    FARM_UNROLL
    for (int n = 0; n < NT; n++)
        column[n] = w + static_cast<s64>(min_of(tile0 + n, tiles - 1)) * (2 * units) * 32 + lane;

    float acc[MT][NT][4] = {};
    float squares[MT][2] = {};
    uint4 next[NT];
    if (segment.begin < segment.end) FARM_UNROLL
    for (int n = 0; n < NT; n++) next[n] = load_readonly(column[n] + segment.begin * 64);
    FARM_NO_UNROLL
    for (int block = 2 * segment.begin; block < 2 * segment.end; block++) {
        uint4 b[NT];
        int ahead = min_of(block + 1, 2 * segment.end - 1) * 32;
        FARM_UNROLL
        for (int n = 0; n < NT; n++) {
            b[n] = next[n];
            next[n] = load_readonly(column[n] + ahead);
        }
        int k = block * 32 + 8 * t;
        float gain[8] = {};
        if (norm != nullptr) load_octet(norm, k, features, aligned, gain);
        FARM_UNROLL
        for (int m = 0; m < MT; m++) {
            float top[8], bottom[8];
            load_rows(x, x_stride, e.rows, row0 + 16 * m + g, k, features, aligned, norm, gain, top, squares[m][0]);
            load_rows(x, x_stride, e.rows, row0 + 16 * m + g + 8, k, features, aligned, norm, gain, bottom,
                      squares[m][1]);
            u32 a[2][Terms][4];
            fragments<Terms>(top, bottom, a);
            FARM_UNROLL
            for (int j = 0; j < 2; j++) FARM_UNROLL
            for (int i = 0; i < Terms; i++) FARM_UNROLL
            for (int n = 0; n < NT; n++)
                mma_bf16(acc[m][n], a[j][i], j == 0 ? b[n].x : b[n].z, j == 0 ? b[n].y : b[n].w);
        }
    }
    merge<MT, NT>(acc, squares, e, row0, tile0, norm != nullptr, epsilon, features, gate_up);
}

template <int MT, int NT>
FARM_DEVICE void skinny_int8(const float* x, int x_stride, const uint4* w, const float* scales, const float* norm,
                             float epsilon, const Epilogue& e, int features, int units, int tiles, bool gate_up) {
    int lane = lane_id(), g = lane / 4, t = lane % 4;
    int tile0 = block_x() * NT, row0 = block_y() * 16 * MT;
    bool aligned = (e.flags & kAlignedRows) != 0;
    Segment segment = segment_of(warp_id(), units);
    const uint4* column[NT];
    const float* scale[NT];
    FARM_UNROLL
    for (int n = 0; n < NT; n++) {
        s64 first = static_cast<s64>(min_of(tile0 + n, tiles - 1)) * units;
        column[n] = w + first * 32 + lane;
        scale[n] = scales + first * 8 + 2 * t;
    }

    float acc[MT][NT][4] = {};
    float squares[MT][2] = {};
    uint4 next[NT];
    if (segment.begin < segment.end) FARM_UNROLL
    for (int n = 0; n < NT; n++) next[n] = load_readonly(column[n] + segment.begin * 32);
    FARM_NO_UNROLL
    for (int unit = segment.begin; unit < segment.end; unit++) {
        uint4 b[NT];
        float2 s[NT];
        int ahead = min_of(unit + 1, segment.end - 1) * 32;
        FARM_UNROLL
        for (int n = 0; n < NT; n++) {
            b[n] = next[n];
            next[n] = load_readonly(column[n] + ahead);
            s[n] = load2(scale[n] + unit * 8);
        }
        int k = unit * 64 + 8 * t;
        float gain[2][8] = {};
        if (norm != nullptr) {
            load_octet(norm, k, features, aligned, gain[0]);
            load_octet(norm, k + 32, features, aligned, gain[1]);
        }
        FARM_UNROLL
        for (int m = 0; m < MT; m++) {
            u32 a[2][4];
            float row_scale[2];
            FARM_UNROLL
            for (int half = 0; half < 2; half++) {
                int row = row0 + 16 * m + g + 8 * half;
                float low[8], high[8];
                u32 bytes[4];
                load_rows(x, x_stride, e.rows, row, k, features, aligned, norm, gain[0], low, squares[m][half]);
                load_rows(x, x_stride, e.rows, row, k + 32, features, aligned, norm, gain[1], high, squares[m][half]);
                row_scale[half] = quantise(low, high, bytes);
                a[0][half] = bytes[0];
                a[0][half + 2] = bytes[1];
                a[1][half] = bytes[2];
                a[1][half + 2] = bytes[3];
            }
            FARM_UNROLL
            for (int n = 0; n < NT; n++) {
                int sum[4] = {0, 0, 0, 0};
                mma_s8(sum, a[0], b[n].x, b[n].y);
                mma_s8(sum, a[1], b[n].z, b[n].w);
                FARM_UNROLL
                for (int i = 0; i < 4; i++)
                    acc[m][n][i] = fma(static_cast<float>(sum[i]), row_scale[i / 2] * s[n][i % 2], acc[m][n][i]);
            }
        }
    }
    merge<MT, NT>(acc, squares, e, row0, tile0, norm != nullptr, epsilon, features, gate_up);
}

#define BF16(NAME, MT, NT, TERMS)                                                                                 \
    FARM_KERNEL(kThreads)                                                                                         \
    NAME(const float* __restrict__ x, int x_stride, const uint4* __restrict__ w, const float* __restrict__ norm,  \
         float epsilon, const float* __restrict__ bias, float* output, int output_stride, int rows, int features, \
         int columns, int units, int tiles, int gate_up, int flags) {                                             \
        Epilogue e = {bias, output, output_stride, rows, columns, flags};                                         \
        skinny_bf16<MT, NT, TERMS>(x, x_stride, w, norm, epsilon, e, features, units, tiles, gate_up != 0);       \
    }
#define INT8(NAME, MT, NT)                                                                                         \
    FARM_KERNEL(kThreads)                                                                                          \
    NAME(const float* __restrict__ x, int x_stride, const uint4* __restrict__ w, const float* __restrict__ scales, \
         const float* __restrict__ norm, float epsilon, const float* __restrict__ bias, float* output,             \
         int output_stride, int rows, int features, int columns, int units, int tiles, int gate_up, int flags) {   \
        Epilogue e = {bias, output, output_stride, rows, columns, flags};                                          \
        skinny_int8<MT, NT>(x, x_stride, w, scales, norm, epsilon, e, features, units, tiles, gate_up != 0);       \
    }

BF16(linear_bf16_m16_n32, 1, 4, 3)
BF16(linear_bf16_m16_n64, 1, 8, 3)
BF16(linear_bf16_m32_n32, 2, 4, 3)
BF16(linear_bf16_m32_n64, 2, 8, 3)
BF16(linear_bf16_m64_n32, 4, 4, 3)
BF16(linear_bf16_rounded_m16_n32, 1, 4, 1)
BF16(linear_bf16_rounded_m16_n64, 1, 8, 1)
BF16(linear_bf16_rounded_m32_n32, 2, 4, 1)
BF16(linear_bf16_rounded_m32_n64, 2, 8, 1)
BF16(linear_bf16_rounded_m64_n32, 4, 4, 1)
INT8(linear_int8_m16_n32, 1, 4)
INT8(linear_int8_m16_n64, 1, 8)
INT8(linear_int8_m32_n32, 2, 4)
INT8(linear_int8_m32_n64, 2, 8)
INT8(linear_int8_m64_n32, 4, 4)
