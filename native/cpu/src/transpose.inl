// 16 x 16 blocks turned over in registers: the step that makes any operand layout into panels or tiles.

// to[j][i] = from[i][j] for rows i < rows and columns j < 16; lanes i >= rows become 0. Reads 16 columns of each row.
#if FARM_LEVEL >= 2
static void transpose16(const float* from, int64_t from_stride, int rows, float* to, int64_t to_stride) {
    __m512 r[16], t[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) r[i] = i < rows ? _mm512_loadu_ps(from + i * from_stride) : _mm512_setzero_ps();
        // Pairs of rows, pairs of pairs, then 128-bit lanes twice.
#pragma GCC unroll 16
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
        r[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
        r[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
        r[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
    }
#pragma GCC unroll 16
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xDD);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xDD);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 4; i++) {
        _mm512_storeu_ps(to + i * to_stride, _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88));
        _mm512_storeu_ps(to + (i + 4) * to_stride, _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88));
        _mm512_storeu_ps(to + (i + 8) * to_stride, _mm512_shuffle_f32x4(t[i], t[i + 8], 0xDD));
        _mm512_storeu_ps(to + (i + 12) * to_stride, _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xDD));
    }
}
#else
static void transpose16(const float* from, int64_t from_stride, int rows, float* to, int64_t to_stride) {
    for (int j = 0; j < 16; j++)
        for (int i = 0; i < 16; i++) to[j * to_stride + i] = i < rows ? from[i * from_stride + j] : 0.0f;
}
#endif

// The same for a block that ends early: columns >= `columns` are neither read nor written.
static void transpose_block(const float* from, int64_t from_stride, int rows, int columns, float* to,
                            int64_t to_stride) {
    if (columns == 16) return transpose16(from, from_stride, rows, to, to_stride);
    for (int j = 0; j < columns; j++)
        for (int i = 0; i < 16; i++) to[j * to_stride + i] = i < rows ? from[i * from_stride + j] : 0.0f;
}
