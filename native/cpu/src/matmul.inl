// General products for training: both operands are packed on the fly, the left into tiles and the right into panels,
// and then multiplied as a linear layer is. Packing costs one pass over an operand that takes part in hundreds of
// multiply-adds per element.

constexpr int64_t kPackBudget = int64_t{48} << 20;  // bytes of each packed operand at a time
constexpr int kSlab = 4096;                         // features at a time; the sums of slabs are added in order

// 16 values of a stored row of the right operand.
FARM_INLINE void load_row16(const farm_matrix& b, int64_t row, int column, int n, float* to) {
    int64_t at = row * b.stride + column;
    if (b.dtype == FARM_F32) {
        const float* from = static_cast<const float*>(b.data) + at;
        vf_store(to, n >= 16 ? vf_load(from) : vf_load_partial(from, n, 0.0f));
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

// Rows row0 .. row0 + rows and features k0 .. k0 + k of op(a) into tiles [k / kTile][all rows][kTile]; `tiles` points
// at row row0.
static void pack_rows(const farm_matrix& a, int k0, int k, int row0, int rows, int all_rows, float* tiles) {
    const float* data = static_cast<const float*>(a.data);
    for (int t = 0; t * kTile < k; t++) {
        float* tile = tiles + static_cast<int64_t>(t) * all_rows * kTile;
        int begin = k0 + t * kTile, kc = imin(kTile, k - t * kTile);
        if (!a.transposed) {
            for (int r = 0; r < rows; r++)
                std::memcpy(tile + r * kTile, data + static_cast<int64_t>(row0 + r) * a.stride + begin,
                            sizeof(float) * kc);
        } else {
            // Stored [k][m]: 16 features of 16 rows at a time; a tile's lanes beyond kc are never multiplied.
            for (int i = 0; i < kc; i += 16)
                for (int r = 0; r < rows; r += 16)
                    transpose_block(data + static_cast<int64_t>(begin + i) * a.stride + row0 + r, a.stride,
                                    imin(16, kc - i), imin(16, rows - r), tile + r * kTile + i, kTile);
        }
    }
}

// The product over features k0 .. k0 + k of both operands.
static int matmul_slab(farm_context* context, const farm_matrix& a, const farm_matrix& b, float* c, int c_stride, int m,
                       int n, int k0, int k, bool accumulate) {
    int threads = context->pool.threads();
    int tiles = (k + kTile - 1) / kTile, panels = (n + 15) / 16;
    // An odd number of cache lines from panel to panel keeps neighbours out of one another's sets.
    int64_t panel = static_cast<int64_t>(k | 1) * 16;
    int64_t row_bytes = static_cast<int64_t>(tiles) * kTile * 4;
    // Both operands in slices that fit the budget: their sizes never decide how much memory a step takes.
    int slice_rows = imin(m, static_cast<int>(kPackBudget / row_bytes / kRowBlock) * kRowBlock);
    int slice_panels = imin(panels, static_cast<int>(kPackBudget / (panel * 4) / kMaxChunk) * kMaxChunk);
    int64_t a_floats = static_cast<int64_t>(tiles) * kTile * slice_rows;
    float* a_packed = static_cast<float*>(context->shared.reserve((a_floats + panel * slice_panels) * 4));
    constexpr int64_t kSums = kRowBlock * kMaxChunk * 16;
    float* scratch = static_cast<float*>(context->threads.reserve(kSums * 4 * threads));
    if (a_packed == nullptr || scratch == nullptr) return FARM_E_MEMORY;
    float* b_packed = a_packed + a_floats;

    for (int row_base = 0; row_base < m; row_base += slice_rows) {
        int rows_here = imin(slice_rows, m - row_base);
        constexpr int kPackRows = 64;
        context->pool.parallel((rows_here + kPackRows - 1) / kPackRows, [&](int task, int) {
            int r = task * kPackRows;
            pack_rows(a, k0, k, row_base + r, imin(kPackRows, rows_here - r), rows_here,
                      a_packed + static_cast<int64_t>(r) * kTile);
        });
        Activations x;
        x.f32 = a_packed;
        x.rows = rows_here;
        x.features = k;
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
            int row_blocks = (rows_here + kRowBlock - 1) / kRowBlock;
            int block = static_cast<int>(round_up((rows_here + row_blocks - 1) / row_blocks, kRows));
            row_blocks = (rows_here + block - 1) / block;
            // Small products are cut finer, so that all threads have work.
            int chunk = panels_here * row_blocks >= kMaxChunk * threads * 4 ? kMaxChunk : panels_for(kRows);
            int chunks = (panels_here + chunk - 1) / chunk;
            context->pool.parallel(chunks * row_blocks, [&](int task, int thread) {
                float* sums = scratch + thread * kSums;
                int row0 = task / chunks * block, rows = imin(block, rows_here - row0);
                int panel0 = task % chunks * chunk, count = imin(chunk, panels_here - panel0);
                int64_t ldc = count * 16;
                product(x, x.f32, b_packed + panel0 * panel, panel, count, row0, rows, sums, ldc);
                for (int r = 0; r < rows; r++) {
                    float* out = c + static_cast<int64_t>(row_base + row0 + r) * c_stride;
                    for (int p = 0; p < count; p++) {
                        int column = (panel_base + panel0 + p) * 16, lanes = imin(16, n - column);
                        VF v = vf_load(sums + r * ldc + p * 16);
                        if (lanes == 16) {
                            vf_store(out + column, accumulate ? vf_add(v, vf_load(out + column)) : v);
                        } else {
                            if (accumulate) v = vf_add(v, vf_load_partial(out + column, lanes, 0.0f));
                            vf_store_partial(out + column, v, lanes);
                        }
                    }
                }
            });
        }
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
