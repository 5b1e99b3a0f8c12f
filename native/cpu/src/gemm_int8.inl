// int8 weights and activations: in each group of FARM_GROUP input features the products are summed exactly in int32,
// then scaled: c[r][col] += scale_w[group][col] * scale_x[group][r] * sum. Weights are stored as value + 128, unsigned,
// as VNNI wants its first operand; the activations' offset, -128 * sum(x), starts each sum.

#if FARM_LEVEL >= 3
using VI = __m512i;  // 16 columns
FARM_INLINE VI vi_start(int32_t offset) {
    return _mm512_set1_epi32(offset);
}
using VW = __m512i;
FARM_INLINE VW vw_load(const uint8_t* w) {
    return _mm512_loadu_si512(w);
}
FARM_INLINE VI vi_dot(VI acc, VW w, int32_t x) {
    // Written out because GCC 12 copies the tied operand of the intrinsic back and forth.
    asm("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(w), "v"(_mm512_set1_epi32(x)));
    return acc;
}
FARM_INLINE VF vi_finish(VI acc) {
    return _mm512_cvtepi32_ps(acc);
}
#elif FARM_LEVEL == 2
struct VI {
    __m512i a, b;  // two partial sums for each of 8 columns
};
FARM_INLINE VI vi_start(int32_t offset) {
    __m512i v = _mm512_set1_epi64(static_cast<uint32_t>(offset));
    return {v, v};
}
struct VW {
    __m512i a, b;
};
FARM_INLINE VW vw_load(const uint8_t* w) {
    const auto* p = reinterpret_cast<const __m256i*>(w);
    return {_mm512_cvtepu8_epi16(_mm256_loadu_si256(p)), _mm512_cvtepu8_epi16(_mm256_loadu_si256(p + 1))};
}
FARM_INLINE VI vi_dot(VI acc, VW w, int32_t x) {
    __m512i q = _mm512_cvtepi8_epi16(_mm256_set1_epi32(x));
    return {_mm512_add_epi32(acc.a, _mm512_madd_epi16(w.a, q)), _mm512_add_epi32(acc.b, _mm512_madd_epi16(w.b, q))};
}
FARM_INLINE VF vi_finish(VI acc) {
    __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    return _mm512_cvtepi32_ps(
        _mm512_add_epi32(_mm512_permutex2var_epi32(acc.a, even, acc.b), _mm512_permutex2var_epi32(acc.a, odd, acc.b)));
}
#elif FARM_LEVEL == 1
struct VI {
    __m256i v[4];  // two partial sums for each of 4 columns
};
FARM_INLINE VI vi_start(int32_t offset) {
    __m256i v = _mm256_set1_epi64x(static_cast<uint32_t>(offset));
    return {{v, v, v, v}};
}
using VW = const uint8_t*;  // widened where used: there are too few registers to hold it
FARM_INLINE VW vw_load(const uint8_t* w) {
    return w;
}
FARM_INLINE VI vi_dot(VI acc, VW w, int32_t x) {
    __m256i q = _mm256_cvtepi8_epi16(_mm_set1_epi32(x));
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        __m256i wide = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w + 16 * i)));
        acc.v[i] = _mm256_add_epi32(acc.v[i], _mm256_madd_epi16(wide, q));
    }
    return acc;
}
FARM_INLINE VF vi_finish(VI acc) {
    // hadd works within halves: columns come out 0 1 4 5 2 3 6 7.
    __m256i a = _mm256_permute4x64_epi64(_mm256_hadd_epi32(acc.v[0], acc.v[1]), 0xD8);
    __m256i b = _mm256_permute4x64_epi64(_mm256_hadd_epi32(acc.v[2], acc.v[3]), 0xD8);
    return {_mm256_cvtepi32_ps(a), _mm256_cvtepi32_ps(b)};
}
#else
struct VI {
    int32_t v[16];
};
FARM_INLINE VI vi_start(int32_t offset) {
    VI r;
    for (int i = 0; i < 16; i++) r.v[i] = offset;
    return r;
}
using VW = const uint8_t*;
FARM_INLINE VW vw_load(const uint8_t* w) {
    return w;
}
FARM_INLINE VI vi_dot(VI acc, VW w, int32_t x) {
    int8_t q[4];
    std::memcpy(q, &x, 4);
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 4; j++) acc.v[i] += static_cast<int>(w[4 * i + j]) * q[j];
    return acc;
}
FARM_INLINE VF vi_finish(VI acc) {
    VF r;
    for (int i = 0; i < 16; i++) r.f[i] = static_cast<float>(acc.v[i]);
    return r;
}
#endif

#if FARM_LEVEL >= 2
constexpr int panels_for_int8(int rows) {
    return FARM_LEVEL >= 3 ? panels_for(rows) : rows <= 4 ? 2 : 1;
}
#else
constexpr int panels_for_int8(int) {
    return 1;
}
#endif

// One group. w: [FARM_GROUP / 4][16][4] per panel; ws: 16 scales per panel, `scale_panel` floats apart.
template <int R, int NP>
void gemm_group(const int8_t* a, const float* a_scale, const int32_t* a_offset, const uint8_t* w, int64_t panel,
                const float* ws, int64_t scale_panel, float* c, int64_t ldc, bool first) {
    VI acc[R][NP];
#pragma GCC unroll 16
    for (int r = 0; r < R; r++)
#pragma GCC unroll 16
        for (int p = 0; p < NP; p++) acc[r][p] = vi_start(a_offset[r]);
    for (int k = 0; k < FARM_GROUP; k += 4) {
        VW b[NP];
#pragma GCC unroll 16
        for (int p = 0; p < NP; p++) {
            b[p] = vw_load(w + p * panel);
            prefetch(w + p * panel + 16 * FARM_GROUP * 4);
        }
#pragma GCC unroll 16
        for (int r = 0; r < R; r++) {
            int32_t x;
            std::memcpy(&x, a + r * kTile + k, 4);
#pragma GCC unroll 16
            for (int p = 0; p < NP; p++) acc[r][p] = vi_dot(acc[r][p], b[p], x);
        }
        w += 64;
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) {
        VF scale = vf_set1(a_scale[r]);
#pragma GCC unroll 16
        for (int p = 0; p < NP; p++) {
            float* at = c + r * ldc + p * 16;
            VF s = vf_mul(scale, vf_load(ws + p * scale_panel));
            vf_store(at, vf_fma(vi_finish(acc[r][p]), s, first ? vf_zero() : vf_load(at)));
        }
    }
}

template <int R>
void gemm_group_panels(const int8_t* a, const float* as, const int32_t* ao, const uint8_t* w, int64_t panel,
                       const float* ws, int64_t scale_panel, int panels, float* c, int64_t ldc, bool first) {
    constexpr int NP = panels_for_int8(R);
    int p = 0;
    for (; p + NP <= panels; p += NP)
        gemm_group<R, NP>(a, as, ao, w + p * panel, panel, ws + p * scale_panel, scale_panel, c + p * 16, ldc, first);
    if constexpr (NP > 1)
        for (; p < panels; p++)
            gemm_group<R, 1>(a, as, ao, w + p * panel, panel, ws + p * scale_panel, scale_panel, c + p * 16, ldc,
                             first);
}

static void gemm_group_rows(int rows, const int8_t* a, const float* as, const int32_t* ao, const uint8_t* w,
                            int64_t panel, const float* ws, int64_t scale_panel, int panels, float* c, int64_t ldc,
                            bool first) {
    switch (rows) {
        case 1:
            return gemm_group_panels<1>(a, as, ao, w, panel, ws, scale_panel, panels, c, ldc, first);
        case 2:
            return gemm_group_panels<2>(a, as, ao, w, panel, ws, scale_panel, panels, c, ldc, first);
        case 3:
            return gemm_group_panels<3>(a, as, ao, w, panel, ws, scale_panel, panels, c, ldc, first);
        case 4:
            return gemm_group_panels<4>(a, as, ao, w, panel, ws, scale_panel, panels, c, ldc, first);
#if FARM_LEVEL >= 1
        case 5:
            return gemm_group_panels<5>(a, as, ao, w, panel, ws, scale_panel, panels, c, ldc, first);
        case 6:
            return gemm_group_panels<6>(a, as, ao, w, panel, ws, scale_panel, panels, c, ldc, first);
#endif
#if FARM_LEVEL >= 2
        case 7:
            return gemm_group_panels<7>(a, as, ao, w, panel, ws, scale_panel, panels, c, ldc, first);
        case 8:
            return gemm_group_panels<8>(a, as, ao, w, panel, ws, scale_panel, panels, c, ldc, first);
#endif
    }
}
