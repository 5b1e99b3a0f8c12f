// Attention of packed sequences with its backward, FlashAttention-2 style: tiles of kTile queries by kTile keys,
// probabilities recomputed from the saved log-sum-exp. A task owns one sequence and one key/value head, so that the
// gradients of its keys and values are summed by one thread in one order.

struct TrainHead {
    const farm_attention_train_args* args;
    int first, length;  // rows of the sequence
    int kv, group;      // key/value head, query heads of it
    int dim, width;

    const float* query(int head) const {
        return args->qkv + static_cast<int64_t>(first) * args->qkv_stride + head * dim;
    }
    const float* key() const { return query(args->query_heads + kv); }
    const float* value() const { return query(args->query_heads + args->kv_heads + kv); }
};

// Rows of a head as panels over rows: [rows / 16][dim][16], the right operand of a product that sums over dim.
static void panels_over_rows(const float* from, int64_t stride, int rows, int dim, float* to) {
    for (int r = 0; r < rows; r += 16)
        for (int d = 0; d < dim; d += 16)
            transpose_block(from + r * stride + d, stride, imin(16, rows - r), imin(16, dim - d),
                            to + static_cast<int64_t>(r) * dim + d * 16, 16);
}

// Rows of a head as panels over columns: [width / 16][capacity][16], the right operand of a product that sums over
// rows.
static void panels_over_columns(const float* from, int64_t stride, int rows, int dim, int64_t capacity, float* to) {
    for (int d = 0; d < dim; d += 16) {
        int n = imin(16, dim - d);
        float* panel = to + d / 16 * capacity * 16;
        for (int r = 0; r < rows; r++)
            vf_store(panel + r * 16,
                     n == 16 ? vf_load(from + r * stride + d) : vf_load_partial(from + r * stride + d, n, 0.0f));
    }
}

// Up to kTile rows of a head as tiles [dim / kTile][rows][kTile], the left operand of a product that sums over dim.
static void tiles_of_rows(const float* from, int64_t stride, int rows, int dim, float* to) {
    for (int t = 0; t * kTile < dim; t++)
        for (int r = 0; r < rows; r++)
            std::memcpy(to + (static_cast<int64_t>(t) * rows + r) * kTile, from + r * stride + t * kTile,
                        sizeof(float) * imin(kTile, dim - t * kTile));
}

// c [rows][kTile] = tiles times the transpose of `keys` rows given as panels over rows. On the diagonal, where row r
// sees keys 0 .. r, the panels no row of a strip sees are left as they are.
static void score_tile(const float* tiles, int rows, const float* panels, int dim, int keys, bool diagonal, float* c) {
    for (int t = 0; t * kTile < dim; t++)
        for (int r = 0; r < rows; r += kRows)
            gemm_rows(imin(kRows, rows - r), tiles + (static_cast<int64_t>(t) * rows + r) * kTile,
                      panels + t * kTile * 16, static_cast<int64_t>(dim) * 16,
                      ((diagonal ? imin(keys, r + kRows) : keys) + 15) / 16, imin(kTile, dim - t * kTile),
                      c + r * kTile, kTile, t == 0);
}

// Which elements of the left operand of add_product are known to be 0.
enum class Zeros { kNone, kRight, kLeft };  // those right or left of the diagonal

// c [rows][width] += a [rows][kTile] times `inner` rows given as panels over columns.
static void add_product(const float* a, int rows, const float* panels, int64_t capacity, int width, int inner,
                        Zeros zeros, float* c) {
    for (int r = 0; r < rows; r += kRows) {
        int begin = zeros == Zeros::kLeft ? imin(r, inner) : 0;
        int end = zeros == Zeros::kRight ? imin(inner, r + kRows) : inner;
        gemm_rows(imin(kRows, rows - r), a + r * kTile + begin, panels + begin * 16, capacity * 16, width / 16,
                  end - begin, c + static_cast<int64_t>(r) * width, width, false);
    }
}

FARM_INLINE void add_row(const float* from, int n, float* to, bool accumulate) {
    int d = 0;
    for (; d + 16 <= n; d += 16)
        vf_store(to + d, accumulate ? vf_add(vf_load(from + d), vf_load(to + d)) : vf_load(from + d));
    for (; d < n; d++) to[d] = accumulate ? to[d] + from[d] : from[d];
}

static int64_t train_scratch(const farm_attention_train_args& a, bool backward, int* longest) {
    *longest = 0;
    for (int s = 0; s < a.sequences; s++) *longest = imax(*longest, a.starts[s + 1] - a.starts[s]);
    int64_t rows = round_up(*longest, kTile), dim = a.head_dim, width = round_up(dim, 16);
    int64_t tile = round_up(dim, kTile) * kTile, square = kTile * kTile;
    int64_t forward = rows * dim + rows * width + tile + square + kTile * width;
    // Panels of keys (both ways) and values, gradients of both; per query tile: two left operands, two right, four
    // squares, a sum.
    return backward ? rows * (2 * dim + 3 * width) + 2 * tile + 3 * kTile * width + 4 * square : forward;
}

static void train_forward(const TrainHead& h, float* scratch, int64_t capacity) {
    const farm_attention_train_args& a = *h.args;
    int64_t stride = a.qkv_stride;
    float* keys = scratch;
    float* values = keys + capacity * h.dim;
    float* tiles = values + capacity * h.width;
    float* scores = tiles + round_up(h.dim, kTile) * kTile;
    float* out = scores + kTile * kTile;
    panels_over_rows(h.key(), stride, h.length, h.dim, keys);
    panels_over_columns(h.value(), stride, h.length, h.dim, capacity, values);
    for (int g = 0; g < h.group; g++) {
        int head = h.kv * h.group + g;
        for (int q0 = 0; q0 < h.length; q0 += kTile) {
            int rows = imin(kTile, h.length - q0);
            float maximum[kTile], sum[kTile];
            for (int r = 0; r < rows; r++) maximum[r] = -INFINITY, sum[r] = 0.0f;
            std::memset(out, 0, sizeof(float) * rows * h.width);
            tiles_of_rows(h.query(head) + q0 * stride, stride, rows, h.dim, tiles);
            for (int k0 = 0; k0 <= q0; k0 += kTile) {
                int count = imin(kTile, imin(h.length, q0 + rows) - k0), padded = static_cast<int>(round_up(count, 16));
                score_tile(tiles, rows, keys + static_cast<int64_t>(k0) * h.dim, h.dim, count, k0 == q0, scores);
                for (int r = 0; r < rows; r++) {
                    int visible = imin(count, q0 + r + 1 - k0);
                    float correction = softmax_row(scores + r * kTile, visible, padded, a.scale, maximum + r, sum + r);
                    if (correction != 1.0f)
                        for (int d = 0; d < h.width; d += 16)
                            vf_store(out + r * h.width + d,
                                     vf_mul(vf_load(out + r * h.width + d), vf_set1(correction)));
                }
                add_product(scores, rows, values + static_cast<int64_t>(k0) * 16, capacity, h.width, count,
                            k0 == q0 ? Zeros::kRight : Zeros::kNone, out);
            }
            for (int r = 0; r < rows; r++) {
                int64_t row = h.first + q0 + r;
                float* to = a.output + row * a.output_stride + head * h.dim;
                float inverse = 1.0f / sum[r];
                for (int d = 0; d < h.dim; d++) to[d] = out[r * h.width + d] * inverse;
                a.log_sum_exp[row * a.log_sum_exp_stride + head] = maximum[r] + std::log(sum[r]);
            }
        }
    }
}

// Probabilities and score gradients of one tile: p = exp(scale s - lse), ds = scale p (dp - delta); 0 where masked.
static void probability_rows(float* s, float* dp, int rows, int q0, int k0, int count, int padded, float scale,
                             const float* lse, const float* delta) {
    for (int r = 0; r < rows; r++) {
        int visible = imax(0, imin(count, q0 + r + 1 - k0));
        VF vscale = vf_set1(scale), vlse = vf_set1(lse[r]), vdelta = vf_set1(delta[r]);
        for (int i = static_cast<int>(round_up(visible, 16)); i < padded; i += 16) {
            vf_store(s + r * kTile + i, vf_zero());
            vf_store(dp + r * kTile + i, vf_zero());
        }
        for (int i = 0; i < visible; i += 16) {
            VF p = vf_exp(vf_sub(vf_mul(vf_load(s + r * kTile + i), vscale), vlse));
            VF ds = vf_mul(vf_mul(p, vf_sub(vf_load(dp + r * kTile + i), vdelta)), vscale);
            if (i + 16 > visible) {
                p = vf_keep(p, imax(0, visible - i), 0.0f);
                ds = vf_keep(ds, imax(0, visible - i), 0.0f);
            }
            vf_store(s + r * kTile + i, p);
            vf_store(dp + r * kTile + i, ds);
        }
    }
}

static void transpose_square(const float* from, int rows, int columns, float* to) {
    for (int r = 0; r < rows; r += 16)
        for (int c = 0; c < columns; c += 16)
            transpose16(from + r * kTile + c, kTile, imin(16, rows - r), to + c * kTile + r, kTile);
}

static void train_backward(const TrainHead& h, float* scratch, int64_t capacity) {
    const farm_attention_train_args& a = *h.args;
    int64_t stride = a.qkv_stride, dim = h.dim, width = h.width, tile = round_up(dim, kTile) * kTile;
    float* key_rows = scratch;
    float* value_rows = key_rows + capacity * dim;
    float* key_columns = value_rows + capacity * dim;
    float* key_gradient = key_columns + capacity * width;
    float* value_gradient = key_gradient + capacity * width;
    float* q_tiles = value_gradient + capacity * width;
    float* o_tiles = q_tiles + tile;
    float* q_columns = o_tiles + tile;
    float* o_columns = q_columns + kTile * width;
    float* q_gradient = o_columns + kTile * width;
    float* s = q_gradient + kTile * width;
    float* dp = s + kTile * kTile;
    float* s_turned = dp + kTile * kTile;
    float* dp_turned = s_turned + kTile * kTile;
    panels_over_rows(h.key(), stride, h.length, h.dim, key_rows);
    panels_over_rows(h.value(), stride, h.length, h.dim, value_rows);
    panels_over_columns(h.key(), stride, h.length, h.dim, capacity, key_columns);
    std::memset(key_gradient, 0, sizeof(float) * 2 * capacity * width);

    for (int g = 0; g < h.group; g++) {
        int head = h.kv * h.group + g;
        for (int q0 = 0; q0 < h.length; q0 += kTile) {
            int rows = imin(kTile, h.length - q0);
            const float* q = h.query(head) + q0 * stride;
            int64_t row = h.first + q0;
            const float* o = a.output + row * a.output_stride + head * dim;
            const float* go = a.output_gradient + row * a.output_gradient_stride + head * dim;
            float lse[kTile], delta[kTile];
            for (int r = 0; r < rows; r++) {
                VF sum = vf_zero();
                for (int d = 0; d < dim; d += 16) {
                    int n = imin(16, static_cast<int>(dim) - d);
                    sum = vf_fma(load_lanes(o + r * a.output_stride + d, n),
                                 load_lanes(go + r * a.output_gradient_stride + d, n), sum);
                }
                delta[r] = vf_hsum(sum);
                lse[r] = a.log_sum_exp[(row + r) * a.log_sum_exp_stride + head];
            }
            tiles_of_rows(q, stride, rows, h.dim, q_tiles);
            tiles_of_rows(go, a.output_gradient_stride, rows, h.dim, o_tiles);
            panels_over_columns(q, stride, rows, h.dim, kTile, q_columns);
            panels_over_columns(go, a.output_gradient_stride, rows, h.dim, kTile, o_columns);
            std::memset(q_gradient, 0, sizeof(float) * rows * width);
            for (int k0 = 0; k0 <= q0; k0 += kTile) {
                int count = imin(kTile, imin(h.length, q0 + rows) - k0), padded = static_cast<int>(round_up(count, 16));
                score_tile(q_tiles, rows, key_rows + k0 * dim, h.dim, count, k0 == q0, s);
                score_tile(o_tiles, rows, value_rows + k0 * dim, h.dim, count, k0 == q0, dp);
                probability_rows(s, dp, rows, q0, k0, count, padded, a.scale, lse, delta);
                add_product(dp, rows, key_columns + static_cast<int64_t>(k0) * 16, capacity, h.width, count,
                            k0 == q0 ? Zeros::kRight : Zeros::kNone, q_gradient);
                transpose_square(s, rows, padded, s_turned);
                transpose_square(dp, rows, padded, dp_turned);
                Zeros zeros = k0 == q0 ? Zeros::kLeft : Zeros::kNone;
                add_product(s_turned, count, o_columns, kTile, h.width, rows, zeros, value_gradient + k0 * width);
                add_product(dp_turned, count, q_columns, kTile, h.width, rows, zeros, key_gradient + k0 * width);
            }
            for (int r = 0; r < rows; r++)
                add_row(q_gradient + r * width, h.dim, a.qkv_gradient + (row + r) * a.qkv_gradient_stride + head * dim,
                        false);
        }
    }
    for (int r = 0; r < h.length; r++) {
        float* to = a.qkv_gradient + static_cast<int64_t>(h.first + r) * a.qkv_gradient_stride;
        add_row(key_gradient + r * width, h.dim, to + (a.query_heads + h.kv) * dim, false);
        add_row(value_gradient + r * width, h.dim, to + (a.query_heads + a.kv_heads + h.kv) * dim, false);
    }
}

static int attention_over_heads(farm_context* context, const farm_attention_train_args* args, bool backward) {
    const farm_attention_train_args& a = *args;
    int longest;
    int64_t floats = train_scratch(a, backward, &longest);
    float* scratch = static_cast<float*>(context->threads.reserve(floats * 4 * context->pool.threads()));
    if (scratch == nullptr) return FARM_E_MEMORY;
    int64_t capacity = round_up(longest, kTile);
    context->pool.parallel(a.sequences * a.kv_heads, [&](int task, int thread) {
        int sequence = task / a.kv_heads;
        TrainHead head = {args,
                          a.starts[sequence],
                          a.starts[sequence + 1] - a.starts[sequence],
                          task % a.kv_heads,
                          a.query_heads / a.kv_heads,
                          a.head_dim,
                          static_cast<int>(round_up(a.head_dim, 16))};
        if (head.length == 0) return;
        if (backward)
            train_backward(head, scratch + thread * floats, capacity);
        else
            train_forward(head, scratch + thread * floats, capacity);
    });
    return FARM_OK;
}

static int attention_train(farm_context* context, const farm_attention_train_args* args) {
    return attention_over_heads(context, args, false);
}

static int attention_backward(farm_context* context, const farm_attention_train_args* args) {
    return attention_over_heads(context, args, true);
}
