// y = f(x) W^T with float32 weights: scalar fused multiply-adds, the exact mode, for any number of rows.
//
// A block of 8 warps takes R rows by 32 columns; each warp one eighth of K (linear_common.cuh), lane = column. Weights
// lie as [tile of 32 columns][k / 4][lane][4]: a warp reads 512 contiguous bytes per 4 features, a chunk of 32 features
// ahead. The rows of a chunk are staged in the warp's own shared memory, [R][36] floats, and read as broadcasts: one
// wavefront per 4 features and row, four multiply-adds each, no conflicts.
//   bytes  4 N K plus rows once from memory (again from L2 for every 32 columns and for every R rows the weights)
//   flops  2 rows N K on the float32 units
//   shared  8 warps x R x 36 floats: 9 KB (R = 8), 37 KB (R = 32)
//   registers (expected)  R + 64 for weights in flight + 30
#include "linear_common.cuh"

constexpr int kThreads = 32 * kSegments, kChunk = 32, kPitch = kChunk + 4;

template <int R>
FARM_DEVICE void linear_f32(const float* x, int x_stride, const float4* w, const float* norm, float epsilon,
                            const Epilogue& e, int features, int units, bool gate_up) {
    __shared__ __attribute__((aligned(16))) float staged[kSegments][R][kPitch];
    __shared__ float square_part[kSegments][R];
    int lane = lane_id(), warp = warp_id(), g = lane / 4, t = lane % 4;
    int row0 = block_y() * R;
    bool aligned = (e.flags & kAlignedRows) != 0;
    Segment segment = segment_of(warp, units);
    const float4* column = w + static_cast<s64>(block_x()) * (units * (kUnit / 4)) * 32 + lane;

    float acc[R] = {};
    float squares[R / 8] = {};
    float4 next[kChunk / 4];
    if (segment.begin < segment.end) FARM_UNROLL
    for (int i = 0; i < kChunk / 4; i++) next[i] = load_readonly(column + (segment.begin * (kUnit / 4) + i) * 32);
    FARM_NO_UNROLL
    for (int chunk = 2 * segment.begin; chunk < 2 * segment.end; chunk++) {
        int k = chunk * kChunk;
        float gain[8] = {};
        if (norm != nullptr) load_octet(norm, k + 8 * t, features, aligned, gain);
        warp_barrier();
        FARM_UNROLL
        for (int i = 0; i < R / 8; i++) {
            float v[8];
            int row = min_of(row0 + 8 * i + g, e.rows - 1);
            load_octet(x + static_cast<s64>(row) * x_stride, k + 8 * t, features, aligned, v);
            if (norm != nullptr) {
                squares[i] = add_squares(v, squares[i]);
                FARM_UNROLL
                for (int j = 0; j < 8; j++) v[j] *= gain[j];
            }
            float* to = &staged[warp][8 * i + g][8 * t];
            store4(to, float4{v[0], v[1], v[2], v[3]});
            store4(to + 4, float4{v[4], v[5], v[6], v[7]});
        }
        warp_barrier();
        float4 b[kChunk / 4];
        int ahead = min_of(chunk + 1, 2 * segment.end - 1) * (kChunk / 4);
        FARM_UNROLL
        for (int i = 0; i < kChunk / 4; i++) {
            b[i] = next[i];
            next[i] = load_readonly(column + (ahead + i) * 32);
        }
        FARM_UNROLL
        for (int i = 0; i < kChunk / 4; i++) FARM_UNROLL
        for (int r = 0; r < R; r++) {
            float4 a = load4(&staged[warp][r][4 * i]);
            FARM_UNROLL
            for (int j = 0; j < 4; j++) acc[r] = fma(a[j], b[i][j], acc[r]);
        }
    }

    // The segments' sums, where the rows were: [warp][row][lane].
    FARM_UNROLL
    for (int i = 0; i < R / 8; i++) {
        float sum = warp_sum<4>(squares[i]);
        if (t == 0) square_part[warp][8 * i + g] = sum;
    }
    warp_barrier();
    FARM_UNROLL
    for (int r = 0; r < R; r++) staged[warp][r][lane] = acc[r];
    block_barrier();
    FARM_UNROLL
    for (int i = 0; i < R / 8; i++) {
        int row = 8 * i + warp;
        float value = 0.0f, squared = 0.0f;
        FARM_UNROLL
        for (int s = 0; s < kSegments; s++) {
            value += staged[s][row][lane];
            squared += square_part[s][row];
        }
        if (norm != nullptr) value *= rms_factor(squared, features, epsilon);
        if (gate_up) {
            // Lanes 0 to 15 hold gates, 16 to 31 the ups of the same outputs.
            float up = shuffle_xor(value, 16);
            if (lane < 16) finish(e, row0 + row, block_x() * 16 + lane, silu(value) * up);
        } else {
            finish(e, row0 + row, block_x() * 32 + lane, value);
        }
    }
}

#define F32(NAME, R)                                                                                              \
    FARM_KERNEL(kThreads)                                                                                         \
    NAME(const float* __restrict__ x, int x_stride, const float4* __restrict__ w, const float* __restrict__ norm, \
         float epsilon, const float* __restrict__ bias, float* output, int output_stride, int rows, int features, \
         int columns, int units, int tiles, int gate_up, int flags) {                                             \
        Epilogue e = {bias, output, output_stride, rows, columns, flags};                                         \
        (void)tiles;                                                                                              \
        linear_f32<R>(x, x_stride, w, norm, epsilon, e, features, units, gate_up != 0);                           \
    }

F32(linear_f32_m8, 8)
F32(linear_f32_m32, 32)
