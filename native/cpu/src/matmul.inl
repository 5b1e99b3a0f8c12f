// General products for training. The right operand is packed into panels once, by all threads; the left is packed
// block by block by the thread that multiplies it, and is still in L2 when it does. A block of the product is made in
// passes over kDepth inner features: the panels of one kernel call stay in L1 while all strips of rows go past them.

constexpr int64_t kPackBudget = int64_t{16} << 20;  // bytes of packed panels at a time: they stay in L3
constexpr int kSlab = 4096;                         // features at a time; the sums of slabs are added in order
constexpr int kDepth = 160;                         // features of one pass: 3 panels of them are 30 KB
constexpr int kBlockRows = 128;
constexpr int kBlockPanels = 24;
// An odd number of cache lines, so that the columns of a strip lie in different sets.
constexpr int kColumnStride = kBlockRows + 16;
constexpr int64_t kBlockFloats = int64_t{kDepth} * kColumnStride;

// to [R][NP panels] = from (0 where NULL) + a b (+ to), over kc features. The left operand lies in rows kDepth apart,
// or (Columns) in columns kColumnStride apart.
template <int R, int NP, bool Columns>
static void block_kernel(const float* a, const float* b, int64_t panel, int kc, const float* from, int64_t from_stride,
                         float* to, int64_t to_stride, bool add) {
    VF acc[R][NP];
    load_sums<R, NP>(acc, from, from_stride, from == nullptr);
#pragma GCC unroll 16
    for (int r = 0; r < R; r++)
#pragma GCC unroll 16
        for (int p = 0; p < NP; p++) prefetch(to + r * to_stride + p * 16);
    for (int k = 0; k < kc; k++) {
        VF w[NP];
#pragma GCC unroll 16
        for (int p = 0; p < NP; p++) w[p] = vf_load(b + p * panel + k * 16);
#pragma GCC unroll 16
        for (int r = 0; r < R; r++) {
            VF x = vf_set1(Columns ? a[k * kColumnStride + r] : a[r * kDepth + k]);
#pragma GCC unroll 16
            for (int p = 0; p < NP; p++) acc[r][p] = vf_fma(x, w[p], acc[r][p]);
        }
    }
    if (add)
#pragma GCC unroll 16
        for (int r = 0; r < R; r++)
#pragma GCC unroll 16
            for (int p = 0; p < NP; p++) acc[r][p] = vf_add(acc[r][p], vf_load(to + r * to_stride + p * 16));
    store_sums<R, NP>(acc, to, to_stride);
}

using BlockKernel = void (*)(const float*, const float*, int64_t, int, const float*, int64_t, float*, int64_t, bool);

template <int NP, bool Columns>
static BlockKernel block_kernel_of(int rows) {
    switch (rows) {
        case 1:
            return block_kernel<1, NP, Columns>;
        case 2:
            return block_kernel<2, NP, Columns>;
        case 3:
            return block_kernel<3, NP, Columns>;
#if FARM_LEVEL >= 1
        case 4:
            return block_kernel<4, NP, Columns>;
        case 5:
            return block_kernel<5, NP, Columns>;
#endif
#if FARM_LEVEL >= 2
        case 6:
            return block_kernel<6, NP, Columns>;
        case 7:
            return block_kernel<7, NP, Columns>;
#endif
        default:
            return block_kernel<kRows, NP, Columns>;
    }
}

template <bool Columns>
static BlockKernel block_kernel_of(int rows, int panels) {
    constexpr int NP = panels_for(kRows);
    if constexpr (NP > 2)
        if (panels == 3) return block_kernel_of<3, Columns>(rows);
    if constexpr (NP > 1)
        if (panels == 2) return block_kernel_of<2, Columns>(rows);
    return block_kernel_of<1, Columns>(rows);
}

// 16 values of a stored row of the right operand.
FARM_INLINE void load_row16(const farm_matrix& b, int64_t row, int column, int n, float* to) {
    int64_t at = row * b.stride + column;
    if (b.dtype == FARM_F32) {
        const float* from = static_cast<const float*>(b.data) + at;
        vf_store(to, load_lanes(from, n));
    } else {
        const uint16_t* from = static_cast<const uint16_t*>(b.data) + at;
        for (int i = 0; i < 16; i++) to[i] = i < n ? from_bf16(from[i]) : 0.0f;
    }
}

// Rows k0 .. k0 + kc of op(b), columns from `column` on, into `panels` panels [k][16]; `to` points at (k0, column).
static void pack_panels(const farm_matrix& b, int k0, int kc, int column, int columns, int panels, int64_t panel,
                        float* to) {
    if (!b.transposed) {
        // Row by row across the panels: memory is read in order.
        for (int row = 0; row < kc; row++)
            for (int p = 0; p < panels; p++)
                load_row16(b, k0 + row, column + p * 16, imin(16, columns - column - p * 16),
                           to + p * panel + row * 16);
        return;
    }
    for (int p = 0; p < panels; p++) {
        int first = column + p * 16, n = imin(16, columns - first);
        for (int k = 0; k < kc; k += 16) {
            int count = imin(16, kc - k);
            float* at = to + p * panel + k * 16;
            if (b.dtype == FARM_F32) {
                const float* from = static_cast<const float*>(b.data) + static_cast<int64_t>(first) * b.stride + k0 + k;
                transpose_block(from, b.stride, n, count, at, 16);
            } else {
                float block[256];
                for (int i = 0; i < n; i++) load_row16(b, first + i, k0 + k, count, block + i * 16);
                transpose_block(block, 16, n, count, at, 16);
            }
        }
    }
}

// Rows row0 .. row0 + rows and features k0 .. k0 + kc of op(a), laid out for the kernels as they are stored.
static void pack_block(const farm_matrix& a, int row0, int rows, int k0, int kc, float* to) {
    const float* data = static_cast<const float*>(a.data);
    if (a.transposed) {
        for (int k = 0; k < kc; k++)
            std::memcpy(to + k * kColumnStride, data + static_cast<int64_t>(k0 + k) * a.stride + row0,
                        sizeof(float) * rows);
    } else {
        for (int r = 0; r < rows; r++)
            std::memcpy(to + r * kDepth, data + static_cast<int64_t>(row0 + r) * a.stride + k0, sizeof(float) * kc);
    }
}

// One block of the product: `rows` rows from row0 on times `panels` panels, to c [rows][columns].
static void multiply_block(const farm_matrix& a, int row0, int rows, int k0, int k, const float* b, int64_t panel,
                           int panels, float* block, float* sums, float* c, int64_t c_stride, int columns,
                           bool accumulate) {
    // Sums rest in scratch between passes; the last pass goes to c, save where the last panel has columns too many.
    int64_t ld = panels * 16;
    bool direct = columns == panels * 16;
    int passes = (k + kDepth - 1) / kDepth, depth = (k + passes - 1) / passes;
    constexpr int NP = panels_for(kRows);
    for (int begin = 0; begin < k; begin += depth) {
        int kc = imin(depth, k - begin);
        bool to_c = direct && begin + kc == k;
        pack_block(a, row0, rows, k0 + begin, kc, block);
        for (int p = 0; p < panels; p += NP) {
            int np = imin(NP, panels - p);
            const float* w = b + p * panel + static_cast<int64_t>(begin) * 16;
            for (int r = 0; r < rows; r += kRows) {
                int count = imin(kRows, rows - r);
                float* sum = sums + r * ld + p * 16;
                const float* x = a.transposed ? block + r : block + r * kDepth;
                BlockKernel kernel =
                    a.transposed ? block_kernel_of<true>(count, np) : block_kernel_of<false>(count, np);
                kernel(x, w, panel, kc, begin == 0 ? nullptr : sum, ld, to_c ? c + r * c_stride + p * 16 : sum,
                       to_c ? c_stride : ld, to_c && accumulate);
            }
        }
    }
    if (direct) return;
    for (int r = 0; r < rows; r++)
        for (int column = 0; column < columns; column += 16) {
            int lanes = imin(16, columns - column);
            float* out = c + r * c_stride + column;
            VF v = vf_load(sums + r * ld + column);
            store_lanes(out, accumulate ? vf_add(v, load_lanes(out, lanes)) : v, lanes);
        }
}

// The product over features k0 .. k0 + k of both operands.
static int matmul_slab(farm_context* context, const farm_matrix& a, const farm_matrix& b, float* c, int c_stride, int m,
                       int n, int k0, int k, bool accumulate) {
    int threads = context->pool.threads();
    int tiles = (k + kTile - 1) / kTile, panels = (n + 15) / 16;
    // An odd number of cache lines from panel to panel keeps neighbours out of one another's sets.
    int64_t panel = static_cast<int64_t>(k | 1) * 16;
    int slice_panels = imin(panels, static_cast<int>(kPackBudget / (panel * 4) / kBlockPanels) * kBlockPanels);
    float* b_packed = static_cast<float*>(context->shared.reserve(panel * slice_panels * 4));
    constexpr int64_t kSums = kBlockRows * kBlockPanels * 16;
    float* scratch = static_cast<float*>(context->threads.reserve((kBlockFloats + kSums) * 4 * threads));
    if (b_packed == nullptr || scratch == nullptr) return FARM_E_MEMORY;

    for (int panel_base = 0; panel_base < panels; panel_base += slice_panels) {
        int panels_here = imin(slice_panels, panels - panel_base);
        constexpr int kPackPanels = 16;
        int pack_columns = (panels_here + kPackPanels - 1) / kPackPanels;
        context->pool.parallel(tiles * pack_columns, [&](int task, int) {
            int t = task / pack_columns, p = task % pack_columns * kPackPanels;
            pack_panels(b, k0 + t * kTile, imin(kTile, k - t * kTile), (panel_base + p) * 16, n,
                        imin(kPackPanels, panels_here - p), panel,
                        b_packed + p * panel + static_cast<int64_t>(t) * kTile * 16);
        });
        // Blocks of equal size, and small products cut finer, so that the threads end together.
        int row_blocks = (m + kBlockRows - 1) / kBlockRows, chunks = (panels_here + kBlockPanels - 1) / kBlockPanels;
        while (row_blocks * chunks < 8 * threads && m / row_blocks > 4 * kRows) row_blocks++;
        while (row_blocks * chunks < 4 * threads && panels_here / chunks > 6) chunks++;
        int block = static_cast<int>(round_up((m + row_blocks - 1) / row_blocks, kRows));
        block = imin(block, kBlockRows / kRows * kRows);
        int chunk = static_cast<int>(round_up((panels_here + chunks - 1) / chunks, panels_for(kRows)));
        row_blocks = (m + block - 1) / block;
        chunks = (panels_here + chunk - 1) / chunk;
        context->pool.parallel(chunks * row_blocks, [&](int task, int thread) {
            float* memory = scratch + thread * (kBlockFloats + kSums);
            int row0 = task / chunks * block, rows = imin(block, m - row0);
            int panel0 = task % chunks * chunk, count = imin(chunk, panels_here - panel0);
            int column = (panel_base + panel0) * 16;
            multiply_block(a, row0, rows, k0, k, b_packed + panel0 * panel, panel, count, memory, memory + kBlockFloats,
                           c + static_cast<int64_t>(row0) * c_stride + column, c_stride, imin(count * 16, n - column),
                           accumulate);
        });
    }
    return FARM_OK;
}

static int matmul(farm_context* context, const farm_matrix* a, const farm_matrix* b, float* c, int c_stride, int m,
                  int n, int k, int accumulate) {
    if (m == 0 || n == 0) return FARM_OK;
    if (k == 0) {
        if (!accumulate)
            for (int r = 0; r < m; r++) std::memset(c + static_cast<int64_t>(r) * c_stride, 0, sizeof(float) * n);
        return FARM_OK;
    }
    for (int k0 = 0; k0 < k; k0 += kSlab)
        if (int status = matmul_slab(context, *a, *b, c, c_stride, m, n, k0, imin(kSlab, k - k0), accumulate || k0 > 0))
            return status;
    return FARM_OK;
}
