// The inner product of every matrix operation: R rows of activations, NP panels of 16 output columns, kc input
// features.
//   c[r][p * 16 + lane] (+)= sum over k of a[r][k] * w[p][k][lane]
// Each output is one chain of fused multiply-adds in ascending k, whatever R and NP are; with `first` the chain begins
// at 0, otherwise it goes on from c. Activations lie in tiles of rows kTile apart, so that all row addresses are one
// register plus a constant.

// Input features of one tile: 8 rows of it and 3 panels of bf16 stay in a 32 KB L1.
constexpr int kTile = 128;

#if FARM_LEVEL >= 2
// 32 registers: 24 sums, the panels' weights and one broadcast. Up to eight weight streams hide memory latency for few
// rows.
constexpr int kRows = 8;
constexpr int kMaxRows = 12;
constexpr int panels_for(int rows) {
    return rows <= 2 ? 8 : rows <= 4 ? 6 : rows <= 6 ? 4 : rows <= 8 ? 3 : 2;
}
#elif FARM_LEVEL == 1
// 16 registers of half a vector each: 12 sums, a weight and a broadcast.
constexpr int kRows = 6;
constexpr int kMaxRows = 6;
constexpr int panels_for(int rows) {
    return rows == 1 ? 4 : rows <= 3 ? 2 : 1;
}
#else
constexpr int kRows = 4;
constexpr int kMaxRows = 4;
constexpr int panels_for(int rows) {
    return rows == 1 ? 2 : 1;
}
#endif

template <int R, int NP>
FARM_INLINE void load_sums(VF (&acc)[R][NP], const float* c, int64_t ldc, bool first) {
#pragma GCC unroll 16
    for (int r = 0; r < R; r++)
#pragma GCC unroll 16
        for (int p = 0; p < NP; p++) acc[r][p] = first ? vf_zero() : vf_load(c + r * ldc + p * 16);
}

template <int R, int NP>
FARM_INLINE void store_sums(const VF (&acc)[R][NP], float* c, int64_t ldc) {
#pragma GCC unroll 16
    for (int r = 0; r < R; r++)
#pragma GCC unroll 16
        for (int p = 0; p < NP; p++) vf_store(c + r * ldc + p * 16, acc[r][p]);
}

// f32 panels [k][16], `panel` elements apart.
template <int R, int NP>
void gemm(const float* a, const float* w, int64_t panel, int kc, float* c, int64_t ldc, bool first) {
    VF acc[R][NP];
    load_sums<R, NP>(acc, c, ldc, first);
    for (int k = 0; k < kc; k++) {
        VF b[NP];
#pragma GCC unroll 16
        for (int p = 0; p < NP; p++) {
            b[p] = vf_load(w + p * panel);
            prefetch(w + p * panel + kTile * 16);
        }
#pragma GCC unroll 16
        for (int r = 0; r < R; r++) {
            VF x = vf_set1(a[r * kTile + k]);
#pragma GCC unroll 16
            for (int p = 0; p < NP; p++) acc[r][p] = vf_fma(x, b[p], acc[r][p]);
        }
        w += 16;
    }
    store_sums<R, NP>(acc, c, ldc);
}

// bf16 panels [k / 2][16][2]: one load holds two input features; kc is rounded up to even and the weights beyond are
// zero.
template <int R, int NP>
void gemm(const float* a, const uint16_t* w, int64_t panel, int kc, float* c, int64_t ldc, bool first) {
    VF acc[R][NP];
    load_sums<R, NP>(acc, c, ldc, first);
    for (int k = 0; k < kc; k += 2) {
        VF b[NP];
#pragma GCC unroll 16
        for (int p = 0; p < NP; p++) {
            b[p] = vf_pair_low(w + p * panel);
            prefetch(w + p * panel + kTile * 16);
        }
#pragma GCC unroll 16
        for (int r = 0; r < R; r++) {
            VF x = vf_set1(a[r * kTile + k]);
#pragma GCC unroll 16
            for (int p = 0; p < NP; p++) acc[r][p] = vf_fma(x, b[p], acc[r][p]);
        }
#pragma GCC unroll 16
        for (int p = 0; p < NP; p++) b[p] = vf_pair_high(w + p * panel);
#pragma GCC unroll 16
        for (int r = 0; r < R; r++) {
            VF x = vf_set1(a[r * kTile + k + 1]);
#pragma GCC unroll 16
            for (int p = 0; p < NP; p++) acc[r][p] = vf_fma(x, b[p], acc[r][p]);
        }
        w += 32;
    }
    store_sums<R, NP>(acc, c, ldc);
}

#if FARM_LEVEL >= 4
// bf16 on both sides: VDPBF16PS adds the products of a pair of input features, 32 multiply-adds an instruction.
template <int R, int NP>
void gemm(const uint16_t* a, const uint16_t* w, int64_t panel, int kc, float* c, int64_t ldc, bool first) {
    VF acc[R][NP];
    load_sums<R, NP>(acc, c, ldc, first);
    for (int k = 0; k < kc; k += 2) {
        __m512i b[NP];
#pragma GCC unroll 16
        for (int p = 0; p < NP; p++) {
            b[p] = _mm512_loadu_si512(w + p * panel);
            prefetch(w + p * panel + kTile * 16);
        }
#pragma GCC unroll 16
        for (int r = 0; r < R; r++) {
            int32_t pair;
            std::memcpy(&pair, a + r * kTile + k, 4);
            __m512i x = _mm512_set1_epi32(pair);
#pragma GCC unroll 16
            for (int p = 0; p < NP; p++) asm("vdpbf16ps %2, %1, %0" : "+v"(acc[r][p]) : "v"(x), "v"(b[p]));
        }
        w += 32;
    }
    store_sums<R, NP>(acc, c, ldc);
}
#endif

// All `panels` for exactly R rows, widest kernel first.
template <int R, class A, class W>
void gemm_panels(const A* a, const W* w, int64_t panel, int panels, int kc, float* c, int64_t ldc, bool first) {
    constexpr int NP = panels_for(R);
    int p = 0;
    for (; p + NP <= panels; p += NP) gemm<R, NP>(a, w + p * panel, panel, kc, c + p * 16, ldc, first);
    if constexpr (NP > 2)
        for (; p + 2 <= panels; p += 2) gemm<R, 2>(a, w + p * panel, panel, kc, c + p * 16, ldc, first);
    if constexpr (NP > 1)
        for (; p < panels; p++) gemm<R, 1>(a, w + p * panel, panel, kc, c + p * 16, ldc, first);
}

// rows <= kMaxRows.
template <class A, class W>
void gemm_rows(int rows, const A* a, const W* w, int64_t panel, int panels, int kc, float* c, int64_t ldc, bool first) {
    switch (rows) {
        case 1:
            return gemm_panels<1>(a, w, panel, panels, kc, c, ldc, first);
        case 2:
            return gemm_panels<2>(a, w, panel, panels, kc, c, ldc, first);
        case 3:
            return gemm_panels<3>(a, w, panel, panels, kc, c, ldc, first);
        case 4:
            return gemm_panels<4>(a, w, panel, panels, kc, c, ldc, first);
#if FARM_LEVEL >= 1
        case 5:
            return gemm_panels<5>(a, w, panel, panels, kc, c, ldc, first);
        case 6:
            return gemm_panels<6>(a, w, panel, panels, kc, c, ldc, first);
#endif
#if FARM_LEVEL >= 2
        case 7:
            return gemm_panels<7>(a, w, panel, panels, kc, c, ldc, first);
        case 8:
            return gemm_panels<8>(a, w, panel, panels, kc, c, ldc, first);
        case 9:
            return gemm_panels<9>(a, w, panel, panels, kc, c, ldc, first);
        case 10:
            return gemm_panels<10>(a, w, panel, panels, kc, c, ldc, first);
        case 11:
            return gemm_panels<11>(a, w, panel, panels, kc, c, ldc, first);
        case 12:
            return gemm_panels<12>(a, w, panel, panels, kc, c, ldc, first);
#endif
    }
}
