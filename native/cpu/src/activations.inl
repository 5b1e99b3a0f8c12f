// The rows of one linear call in the layout the kernels read: tiles of kTile input features, in each tile the rows one
// after another. int8 rows are quantised per group: q = round(x / s), s = max|x| / 127, and carry -128 * sum(q), which
// undoes the offset of the weights (stored as value + 128).

struct Activations {
    const float* f32 = nullptr;        // [tiles][rows][kTile]
    const uint16_t* bf16 = nullptr;    // [tiles][rows][kTile]
    const int8_t* i8 = nullptr;        // [tiles][rows][kTile]
    const float* scales = nullptr;     // [groups][rows]
    const int32_t* offsets = nullptr;  // [groups][rows]
    int rows = 0;
    int features = 0;
};

FARM_INLINE float sum_of_squares(const float* x, int n) {
    VF s0 = vf_zero(), s1 = vf_zero();
    int i = 0;
    for (; i + 32 <= n; i += 32) {
        VF a = vf_load(x + i), b = vf_load(x + i + 16);
        s0 = vf_fma(a, a, s0);
        s1 = vf_fma(b, b, s1);
    }
    for (; i < n; i += 16) {
        VF a = vf_load_partial(x + i, imin(16, n - i), 0.0f);
        s0 = vf_fma(a, a, s0);
    }
    return vf_hsum(vf_add(s0, s1));
}

FARM_INLINE float rms_scale(const float* x, int n, float epsilon) {
    return 1.0f / std::sqrt(sum_of_squares(x, n) / static_cast<float>(n) + epsilon);
}

FARM_INLINE void quantise_group(const float* x, int8_t* q, float* scale, int32_t* offset) {
    float peak = 0.0f;
    for (int i = 0; i < FARM_GROUP; i++) peak = std::fabs(x[i]) > peak ? std::fabs(x[i]) : peak;
    float s = peak / 127.0f;
    float divisor = s > 0.0f ? s : 1.0f;
    int32_t sum = 0;
    // |x| / s may exceed 127 by a rounding error only, which rounds back to 127. Adding 1.5 * 2^23 rounds to nearest
    // even.
    for (int i = 0; i < FARM_GROUP; i++) {
        float v = x[i] / divisor + 12582912.0f;
        int value = static_cast<int>(bits_of(v) & 0x7FFFFF) - 0x400000;
        q[i] = static_cast<int8_t>(value);
        sum += value;
    }
    *scale = s;
    *offset = -128 * sum;
}

// Packs all rows (through RMSNorm where asked) into the context's shared scratch. All NULL when memory is
// out.
static Activations pack_activations(farm_context* context, const farm_linear_args* in, int features, int type) {
    bool int8 = type == FARM_I8, half = type == FARM_BF16;
    int rows = in->rows, tiles = (features + kTile - 1) / kTile, groups = tiles * (kTile / FARM_GROUP);
    int64_t count = static_cast<int64_t>(tiles) * rows * kTile;
    int64_t scale_bytes = round_up(static_cast<int64_t>(groups) * rows * 4, 64);
    int64_t bytes = int8 ? count + 2 * scale_bytes : half ? count * 2 : count * 4;
    char* memory = static_cast<char*>(context->shared.reserve(bytes));
    Activations out;
    out.rows = rows;
    out.features = features;
    if (memory == nullptr) return out;

    float* f32 = reinterpret_cast<float*>(memory);
    auto* bf16 = reinterpret_cast<uint16_t*>(memory);
    int8_t* i8 = reinterpret_cast<int8_t*>(memory);
    float* scales = reinterpret_cast<float*>(memory + count);
    int32_t* offsets = reinterpret_cast<int32_t*>(memory + count + scale_bytes);
    constexpr int kRowsPerTask = 4;
    auto pack = [&](int task, int) {
        for (int r = task * kRowsPerTask; r < imin(rows, (task + 1) * kRowsPerTask); r++) {
            const float* x = in->input + static_cast<int64_t>(r) * in->input_stride;
            VF scale = vf_set1(in->norm_weight ? rms_scale(x, features, in->norm_epsilon) : 1.0f);
            float buffer[kTile];
            for (int t = 0; t < tiles; t++) {
                int64_t at = (static_cast<int64_t>(t) * rows + r) * kTile;
                float* tile = int8 || half ? buffer : f32 + at;
                for (int i = 0; i < kTile; i += 16) {
                    int k = t * kTile + i, n = imin(16, features - k);
                    VF v = n >= 16 ? vf_load(x + k) : n > 0 ? vf_load_partial(x + k, n, 0.0f) : vf_zero();
                    if (in->norm_weight) {
                        VF g = n >= 16 ? vf_load(in->norm_weight + k)
                               : n > 0 ? vf_load_partial(in->norm_weight + k, n, 0.0f)
                                       : vf_zero();
                        v = vf_mul(vf_mul(v, scale), g);
                    }
                    vf_store(tile + i, v);
                }
                if (half)
                    for (int i = 0; i < kTile; i++) bf16[at + i] = to_bf16(buffer[i]);
                if (int8) {
                    for (int g = 0; g < kTile / FARM_GROUP; g++) {
                        int64_t index = static_cast<int64_t>(t * (kTile / FARM_GROUP) + g) * rows + r;
                        quantise_group(buffer + g * FARM_GROUP, i8 + at + g * FARM_GROUP, scales + index,
                                       offsets + index);
                    }
                }
            }
        }
    };
    context->pool.parallel((rows + kRowsPerTask - 1) / kRowsPerTask, pack);
    if (half) {
        out.bf16 = bf16;
    } else if (int8) {
        out.i8 = i8;
        out.scales = scales;
        out.offsets = offsets;
    } else {
        out.f32 = f32;
    }
    return out;
}
