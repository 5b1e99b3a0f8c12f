// Vectors of 16 floats (VF) and what the kernels do with them, spelled per level. 16 lanes everywhere: one panel of a
// packed weight is one vector, so the layouts do not depend on the level.

#define FARM_INLINE static inline __attribute__((always_inline))

FARM_INLINE int imin(int a, int b) {
    return a < b ? a : b;
}
FARM_INLINE int imax(int a, int b) {
    return a > b ? a : b;
}
FARM_INLINE int64_t round_up(int64_t n, int64_t m) {
    return (n + m - 1) / m * m;
}

#if FARM_LEVEL >= 2
using VF = __m512;
FARM_INLINE VF vf_load(const float* p) {
    return _mm512_loadu_ps(p);
}
FARM_INLINE void vf_store(float* p, VF v) {
    _mm512_storeu_ps(p, v);
}
FARM_INLINE VF vf_set1(float x) {
    return _mm512_set1_ps(x);
}
FARM_INLINE VF vf_fma(VF a, VF b, VF c) {
    return _mm512_fmadd_ps(a, b, c);
}
FARM_INLINE VF vf_add(VF a, VF b) {
    return _mm512_add_ps(a, b);
}
FARM_INLINE VF vf_sub(VF a, VF b) {
    return _mm512_sub_ps(a, b);
}
FARM_INLINE VF vf_mul(VF a, VF b) {
    return _mm512_mul_ps(a, b);
}
FARM_INLINE VF vf_div(VF a, VF b) {
    return _mm512_div_ps(a, b);
}
FARM_INLINE VF vf_sqrt(VF a) {
    return _mm512_sqrt_ps(a);
}
FARM_INLINE VF vf_max(VF a, VF b) {
    return _mm512_max_ps(a, b);
}
FARM_INLINE VF vf_min(VF a, VF b) {
    return _mm512_min_ps(a, b);
}
FARM_INLINE VF vf_pair_low(const uint16_t* p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16));
}
FARM_INLINE VF vf_pair_high(const uint16_t* p) {
    return _mm512_castsi512_ps(
        _mm512_and_si512(_mm512_loadu_si512(p), _mm512_set1_epi32(static_cast<int>(0xFFFF0000u))));
}
FARM_INLINE VF vf_load_partial(const float* p, int n, float fill) {
    return _mm512_mask_loadu_ps(_mm512_set1_ps(fill), static_cast<__mmask16>((1u << n) - 1), p);
}
FARM_INLINE void vf_store_partial(float* p, VF v, int n) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v);
}
// Lanes n.. become `fill`.
FARM_INLINE VF vf_keep(VF v, int n, float fill) {
    return _mm512_mask_blend_ps(static_cast<__mmask16>((1u << n) - 1), _mm512_set1_ps(fill), v);
}
FARM_INLINE float vf_hsum(VF v) {
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}
FARM_INLINE float vf_hmax(VF v) {
    return _mm512_reduce_max_ps(v);
}
FARM_INLINE VF vf_round(VF v) {
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// v * 2^n for whole n within the exponent range.
FARM_INLINE VF vf_scale(VF v, VF n) {
    return _mm512_scalef_ps(v, n);
}
// v where x >= limit, else 0.
FARM_INLINE VF vf_zero_below(VF v, VF x, float limit) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_set1_ps(limit), _CMP_GE_OQ), v);
}
FARM_INLINE void prefetch(const void* p) {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
}

#elif FARM_LEVEL == 1
struct VF {
    __m256 a, b;
};
FARM_INLINE VF vf_load(const float* p) {
    return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
FARM_INLINE void vf_store(float* p, VF v) {
    _mm256_storeu_ps(p, v.a);
    _mm256_storeu_ps(p + 8, v.b);
}
FARM_INLINE VF vf_set1(float x) {
    __m256 v = _mm256_set1_ps(x);
    return {v, v};
}
FARM_INLINE VF vf_fma(VF a, VF b, VF c) {
    return {_mm256_fmadd_ps(a.a, b.a, c.a), _mm256_fmadd_ps(a.b, b.b, c.b)};
}
FARM_INLINE VF vf_add(VF a, VF b) {
    return {_mm256_add_ps(a.a, b.a), _mm256_add_ps(a.b, b.b)};
}
FARM_INLINE VF vf_sub(VF a, VF b) {
    return {_mm256_sub_ps(a.a, b.a), _mm256_sub_ps(a.b, b.b)};
}
FARM_INLINE VF vf_mul(VF a, VF b) {
    return {_mm256_mul_ps(a.a, b.a), _mm256_mul_ps(a.b, b.b)};
}
FARM_INLINE VF vf_div(VF a, VF b) {
    return {_mm256_div_ps(a.a, b.a), _mm256_div_ps(a.b, b.b)};
}
FARM_INLINE VF vf_sqrt(VF a) {
    return {_mm256_sqrt_ps(a.a), _mm256_sqrt_ps(a.b)};
}
FARM_INLINE VF vf_max(VF a, VF b) {
    return {_mm256_max_ps(a.a, b.a), _mm256_max_ps(a.b, b.b)};
}
FARM_INLINE VF vf_min(VF a, VF b) {
    return {_mm256_min_ps(a.a, b.a), _mm256_min_ps(a.b, b.b)};
}
FARM_INLINE __m256i load256(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
FARM_INLINE VF vf_pair_low(const uint16_t* p) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(load256(p), 16)),
            _mm256_castsi256_ps(_mm256_slli_epi32(load256(p + 16), 16))};
}
FARM_INLINE VF vf_pair_high(const uint16_t* p) {
    __m256i mask = _mm256_set1_epi32(static_cast<int>(0xFFFF0000u));
    return {_mm256_castsi256_ps(_mm256_and_si256(load256(p), mask)),
            _mm256_castsi256_ps(_mm256_and_si256(load256(p + 16), mask))};
}
FARM_INLINE VF vf_load_partial(const float* p, int n, float fill) {
    float buffer[16];
    for (int i = 0; i < 16; i++) buffer[i] = i < n ? p[i] : fill;
    return vf_load(buffer);
}
FARM_INLINE void vf_store_partial(float* p, VF v, int n) {
    float buffer[16];
    vf_store(buffer, v);
    for (int i = 0; i < n; i++) p[i] = buffer[i];
}
FARM_INLINE VF vf_keep(VF v, int n, float fill) {
    float buffer[16];
    vf_store(buffer, v);
    for (int i = n; i < 16; i++) buffer[i] = fill;
    return vf_load(buffer);
}
FARM_INLINE float vf_hsum(VF v) {
    __m256 h = _mm256_add_ps(v.a, v.b);
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}
FARM_INLINE float vf_hmax(VF v) {
    __m256 h = _mm256_max_ps(v.a, v.b);
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
}
FARM_INLINE VF vf_round(VF v) {
    return {_mm256_round_ps(v.a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
            _mm256_round_ps(v.b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
// In two steps, so that a result beyond the exponent range becomes infinite instead of wrapping round.
FARM_INLINE __m256 scale256(__m256 v, __m256 n) {
    __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1), rest = _mm256_sub_epi32(whole, half);
    __m256i bias = _mm256_set1_epi32(127);
    v = _mm256_mul_ps(v, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23)));
    return _mm256_mul_ps(v, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23)));
}
FARM_INLINE VF vf_scale(VF v, VF n) {
    return {scale256(v.a, n.a), scale256(v.b, n.b)};
}
FARM_INLINE VF vf_zero_below(VF v, VF x, float limit) {
    __m256 l = _mm256_set1_ps(limit);
    return {_mm256_and_ps(v.a, _mm256_cmp_ps(x.a, l, _CMP_GE_OQ)),
            _mm256_and_ps(v.b, _mm256_cmp_ps(x.b, l, _CMP_GE_OQ))};
}
FARM_INLINE void prefetch(const void* p) {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
}

#else
struct VF {
    float f[16];
};
#define FARM_LANES for (int i = 0; i < 16; i++)
FARM_INLINE VF vf_load(const float* p) {
    VF r;
    std::memcpy(r.f, p, 64);
    return r;
}
FARM_INLINE void vf_store(float* p, VF v) {
    std::memcpy(p, v.f, 64);
}
FARM_INLINE VF vf_set1(float x) {
    VF r;
    FARM_LANES r.f[i] = x;
    return r;
}
FARM_INLINE VF vf_fma(VF a, VF b, VF c) {
    VF r;
    FARM_LANES r.f[i] = a.f[i] * b.f[i] + c.f[i];
    return r;
}
FARM_INLINE VF vf_add(VF a, VF b) {
    FARM_LANES a.f[i] += b.f[i];
    return a;
}
FARM_INLINE VF vf_sub(VF a, VF b) {
    FARM_LANES a.f[i] -= b.f[i];
    return a;
}
FARM_INLINE VF vf_mul(VF a, VF b) {
    FARM_LANES a.f[i] *= b.f[i];
    return a;
}
FARM_INLINE VF vf_div(VF a, VF b) {
    FARM_LANES a.f[i] /= b.f[i];
    return a;
}
FARM_INLINE VF vf_sqrt(VF a) {
    FARM_LANES a.f[i] = std::sqrt(a.f[i]);
    return a;
}
FARM_INLINE VF vf_max(VF a, VF b) {
    FARM_LANES a.f[i] = a.f[i] > b.f[i] ? a.f[i] : b.f[i];
    return a;
}
FARM_INLINE VF vf_min(VF a, VF b) {
    FARM_LANES a.f[i] = a.f[i] < b.f[i] ? a.f[i] : b.f[i];
    return a;
}
FARM_INLINE VF vf_pair_low(const uint16_t* p) {
    VF r;
    FARM_LANES r.f[i] = from_bf16(p[2 * i]);
    return r;
}
FARM_INLINE VF vf_pair_high(const uint16_t* p) {
    VF r;
    FARM_LANES r.f[i] = from_bf16(p[2 * i + 1]);
    return r;
}
FARM_INLINE VF vf_load_partial(const float* p, int n, float fill) {
    VF r;
    FARM_LANES r.f[i] = i < n ? p[i] : fill;
    return r;
}
FARM_INLINE void vf_store_partial(float* p, VF v, int n) {
    for (int i = 0; i < n; i++) p[i] = v.f[i];
}
FARM_INLINE VF vf_keep(VF v, int n, float fill) {
    for (int i = n; i < 16; i++) v.f[i] = fill;
    return v;
}
FARM_INLINE float vf_hsum(VF v) {
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++) v.f[i] += v.f[i + half];
    return v.f[0];
}
FARM_INLINE float vf_hmax(VF v) {
    float m = v.f[0];
    for (int i = 1; i < 16; i++) m = v.f[i] > m ? v.f[i] : m;
    return m;
}
FARM_INLINE VF vf_round(VF v) {
    // Adding and taking away 1.5 * 2^23 rounds to nearest even below 2^22 in magnitude.
    FARM_LANES {
        volatile float shifted = v.f[i] + 12582912.0f;
        v.f[i] = shifted - 12582912.0f;
    }
    return v;
}
FARM_INLINE VF vf_scale(VF v, VF n) {
    FARM_LANES {
        int whole = static_cast<int>(n.f[i]), half = whole >> 1;
        v.f[i] *= float_from_bits(static_cast<uint32_t>(half + 127) << 23);
        v.f[i] *= float_from_bits(static_cast<uint32_t>(whole - half + 127) << 23);
    }
    return v;
}
FARM_INLINE VF vf_zero_below(VF v, VF x, float limit) {
    FARM_LANES v.f[i] = x.f[i] >= limit ? v.f[i] : 0.0f;
    return v;
}
FARM_INLINE void prefetch(const void* p) {
    __builtin_prefetch(p);
}
#undef FARM_LANES
#endif

FARM_INLINE VF vf_zero() {
    return vf_set1(0.0f);
}

// The first n lanes, n from 1 to 16.
FARM_INLINE VF load_lanes(const float* p, int n) {
    return n == 16 ? vf_load(p) : vf_load_partial(p, n, 0.0f);
}

FARM_INLINE void store_lanes(float* p, VF v, int n) {
    if (n == 16)
        vf_store(p, v);
    else
        vf_store_partial(p, v, n);
}

// exp by range reduction x = n ln 2 + r, |r| <= ln 2 / 2, and a polynomial in r (the Taylor terms to r^7 with the last
// coefficients adjusted keep the error near 1 ulp). Below -87.33, where the result is no normal
// number, 0; above 88.72 infinity.
FARM_INLINE VF vf_exp(VF x) {
    VF clamped = vf_min(vf_max(x, vf_set1(-87.33f)), vf_set1(100.0f));
    VF n = vf_round(vf_mul(clamped, vf_set1(1.44269504088896341f)));
    VF r = vf_fma(n, vf_set1(-0.693359375f), clamped);
    r = vf_fma(n, vf_set1(2.12194440e-4f), r);
    VF p = vf_set1(1.9841270e-4f);
    p = vf_fma(p, r, vf_set1(1.3888889e-3f));
    p = vf_fma(p, r, vf_set1(8.3333333e-3f));
    p = vf_fma(p, r, vf_set1(4.1666667e-2f));
    p = vf_fma(p, r, vf_set1(1.6666667e-1f));
    p = vf_fma(p, r, vf_set1(0.5f));
    p = vf_fma(p, r, vf_set1(1.0f));
    p = vf_fma(p, r, vf_set1(1.0f));
    return vf_zero_below(vf_scale(p, n), x, -87.33f);
}
