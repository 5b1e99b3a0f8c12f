// y = f(x) W^T with everything around it: packing (and RMSNorm) of the rows, the product by chunks of panels, and the
// epilogue (bias, residual or SwiGLU) while the sums are still in cache. Decode (few rows) streams each weight once;
// prefill cuts the rows into blocks that stay in L2. bf16 weights are widened in registers even there: doing it once
// per block into a buffer measures slower.

constexpr int kRowBlock = 256;  // rows whose tile and sums stay in L2
constexpr int kMaxChunk = 12;   // panels of one task

FARM_INLINE VF silu(VF x) {
    return vf_div(x, vf_add(vf_set1(1.0f), vf_exp(vf_sub(vf_zero(), x))));
}

// Sums of `rows` x `panels` to the output.
static void epilogue(const farm_weight* w, const farm_linear_args* args, const float* c, int64_t ldc, int row0,
                     int rows, int panel0, int panels) {
    int step = w->gate_up ? 2 : 1;
    for (int r = 0; r < rows; r++) {
        const float* sums = c + r * ldc;
        float* out = args->output + static_cast<int64_t>(row0 + r) * args->output_stride;
        for (int p = 0; p < panels; p += step) {
            int column = (panel0 + p) / step * 16, n = imin(16, w->out_features - column);
            if (n <= 0) break;
            VF v = vf_load(sums + p * 16);
            if (w->gate_up) v = vf_mul(silu(v), vf_load(sums + (p + 1) * 16));
            if (n == 16) {
                if (args->bias) v = vf_add(v, vf_load(args->bias + column));
                if (args->accumulate) v = vf_add(v, vf_load(out + column));
                vf_store(out + column, v);
            } else {
                if (args->bias) v = vf_add(v, vf_load_partial(args->bias + column, n, 0.0f));
                if (args->accumulate) v = vf_add(v, vf_load_partial(out + column, n, 0.0f));
                vf_store_partial(out + column, v, n);
            }
        }
    }
}

// Rows of one kernel call when `rows` are cut evenly; up to `together` stay in one, so that each weight is loaded once.
// (16 rows of one panel measure slower than twice 8 rows of three: loading the activations bounds them.)
FARM_INLINE int even_rows(int rows, int together) {
    if (rows <= together) return rows;
    int calls = (rows + kRows - 1) / kRows;
    return (rows + calls - 1) / calls;
}

template <class A, class W>
static void product(const Activations& x, const A* a, const W* w, int64_t panel, int panels, int row0, int rows,
                    float* c, int64_t ldc) {
    int step = even_rows(rows, kMaxRows);
    for (int k = 0; k < x.features; k += kTile) {
        int kc = imin(kTile, x.features - k);
        const A* tile = a + (static_cast<int64_t>(k / kTile) * x.rows + row0) * kTile;
        for (int r = 0; r < rows; r += step)
            gemm_rows(imin(step, rows - r), tile + r * kTile, w + static_cast<int64_t>(k) * 16, panel, panels, kc,
                      c + r * ldc, ldc, k == 0);
    }
}

static void product_int8(const Activations& x, const farm_weight* w, int panel0, int panels, int row0, int rows,
                         float* c, int64_t ldc) {
    int groups = (w->in_features + FARM_GROUP - 1) / FARM_GROUP;
    int64_t panel = static_cast<int64_t>(groups) * FARM_GROUP * 16, scale_panel = static_cast<int64_t>(groups) * 16;
    const uint8_t* data = static_cast<const uint8_t*>(w->data) + panel0 * panel;
    const float* scales = w->scales + panel0 * scale_panel;
    int step = even_rows(rows, kRows);
    for (int g = 0; g < groups; g++) {
        int in_tile = (g * FARM_GROUP) % kTile;
        int64_t tile = static_cast<int64_t>(g * FARM_GROUP / kTile) * x.rows + row0;
        int64_t group = static_cast<int64_t>(g) * x.rows + row0;
        for (int r = 0; r < rows; r += step)
            gemm_group_rows(imin(step, rows - r), x.i8 + (tile + r) * kTile + in_tile, x.scales + group + r,
                            x.offsets + group + r, data + static_cast<int64_t>(g) * FARM_GROUP * 16, panel,
                            scales + g * 16, scale_panel, panels, c + r * ldc, ldc, g == 0);
    }
}

// Panels of one task: few enough that the threads end together, a multiple of every kernel's width and of a gate/up
// pair.
static int chunk_panels(int panels, int threads, int rows, bool gate_up) {
    int width = rows <= 2 ? 8 : 6;
    if (!gate_up && rows > 6) width = 3;
    int chunk = panels / (threads * 8) / width * width;
    return chunk < width ? width : chunk > kMaxChunk ? kMaxChunk : chunk;
}

static int linear(farm_context* context, const farm_weight* w, const farm_linear_args* args) {
    if (args->rows == 0) return FARM_OK;
    bool half = w->dtype == FARM_BF16 && args->bf16_activations;
    if (half && FARM_LEVEL < 4) return FARM_E_UNSUPPORTED;
    Activations x = pack_activations(context, args, w->in_features,
                                     w->dtype == FARM_I8 ? FARM_I8
                                     : half              ? FARM_BF16
                                                         : FARM_F32);
    if (x.f32 == nullptr && x.bf16 == nullptr && x.i8 == nullptr) return FARM_E_MEMORY;

    int threads = context->pool.threads();
    int row_blocks = (args->rows + kRowBlock - 1) / kRowBlock;
    int block = (args->rows + row_blocks - 1) / row_blocks;
    bool prefill = args->rows > 2 * kRows;
    int chunk = prefill ? kMaxChunk : chunk_panels(w->panels, threads, args->rows, w->gate_up != 0);
    int chunks = (w->panels + chunk - 1) / chunk;

    constexpr int64_t kSums = kRowBlock * kMaxChunk * 16;
    float* scratch = static_cast<float*>(context->threads.reserve(kSums * 4 * threads));
    if (scratch == nullptr) return FARM_E_MEMORY;

    auto body = [&](int task, int thread) {
        float* c = scratch + thread * kSums;
        int row0 = task / chunks * block, rows = imin(block, args->rows - row0);
        int panel0 = task % chunks * chunk, panels = imin(chunk, w->panels - panel0);
        int64_t ldc = panels * 16;
        int64_t panel = static_cast<int64_t>(w->in_features) * 16;
        if (w->dtype == FARM_F32) {
            product(x, x.f32, static_cast<const float*>(w->data) + panel0 * panel, panel, panels, row0, rows, c, ldc);
        } else if (w->dtype == FARM_BF16) {
            panel = round_up(w->in_features, 2) * 16;
            const uint16_t* data = static_cast<const uint16_t*>(w->data) + panel0 * panel;
#if FARM_LEVEL >= 4
            if (x.bf16 != nullptr)
                product(x, x.bf16, data, panel, panels, row0, rows, c, ldc);
            else
#endif
                product(x, x.f32, data, panel, panels, row0, rows, c, ldc);
        } else {
            product_int8(x, w, panel0, panels, row0, rows, c, ldc);
        }
        epilogue(w, args, c, ldc, row0, rows, panel0, panels);
    };
    context->pool.parallel(chunks * row_blocks, body);
    return FARM_OK;
}
