// Causal attention over pages. A task takes some query rows (token and head pairs of one key/value head) through the
// pages of one span of kSpanPages, page by page with the online softmax of FlashAttention: scores are a product of the
// queries with the page's key panels, the output a product of the probabilities with its value panels, both by the
// kernels of gemm.inl. Spans begin at fixed tokens, so how work is cut never changes a sum. The prefix of a group is
// read for all its samples at once. Rows with more than one span are merged by log-sum-exp.

constexpr int kSpanPages = 4;
constexpr int kTaskRows = 32;

struct AttentionTask {
    int32_t sequence;  // or group, for a prefix
    int16_t prefix;
    int16_t head;
    int32_t span;  // within the prefix or suffix
    int32_t slot;  // among all spans of the row
    int32_t first_row, rows;
};

// Where a token row's partial results lie.
struct RowPlan {
    int64_t partial;  // index of (head 0, span 0)
    int32_t spans;
};

struct AttentionCall {
    const farm_attention_args* args;
    const RowPlan* rows;
    float* partials;  // per (row, head, span): maximum, sum, output[width]
    int heads_per_kv;
    int dim, width;  // width: dim rounded up to 16
    int64_t partial_size;
};

FARM_INLINE int pages_of(int tokens) {
    return (tokens + FARM_PAGE - 1) / FARM_PAGE;
}
FARM_INLINE int spans_of(int tokens) {
    return (pages_of(tokens) + kSpanPages - 1) / kSpanPages;
}

// One row of scores to probabilities in place, the running maximum and sum updated. Returns what the row's output so
// far is multiplied by.
static float softmax_row(float* scores, int visible, int padded, float scale, float* maximum, float* sum) {
    const float kNone = -INFINITY;
    VF vscale = vf_set1(scale), vmax = vf_set1(kNone);
    for (int i = 0; i < padded; i += 16) {
        VF s = vf_mul(vf_load(scores + i), vscale);
        if (i + 16 > visible) s = vf_keep(s, imax(0, visible - i), kNone);
        vf_store(scores + i, s);
        vmax = vf_max(vmax, s);
    }
    float before = *maximum, now = vf_hmax(vmax);
    now = now > before ? now : before;
    if (now == kNone) {
        for (int i = 0; i < padded; i += 16) vf_store(scores + i, vf_zero());
        return 1.0f;
    }
    VF vnow = vf_set1(now), vsum = vf_zero();
    for (int i = 0; i < padded; i += 16) {
        VF p = vf_exp(vf_sub(vf_load(scores + i), vnow));
        vf_store(scores + i, p);
        vsum = vf_add(vsum, p);
    }
    float correction = before == now ? 1.0f : before == kNone ? 0.0f : std::exp(before - now);
    *sum = *sum * correction + vf_hsum(vsum);
    *maximum = now;
    return correction;
}

template <class T>
static void attention_span(const AttentionCall& call, const AttentionTask& task, float* scratch) {
    const farm_attention_args& a = *call.args;
    const farm_kv_pool& pool = *a.pool;
    int dim = call.dim, width = call.width, group = call.heads_per_kv, s = task.sequence;
    int first_token = task.prefix ? a.query_start[a.sequence_start[s]] : a.query_start[s];
    int new_tokens = task.prefix ? 0 : a.query_start[s + 1] - a.query_start[s];
    int length = task.prefix ? a.prefix_length[s] : a.suffix_length[s];
    const int32_t* pages =
        task.prefix ? a.prefix_pages + a.prefix_page_start[s] : a.suffix_pages + a.suffix_page_start[s];
    int page_begin = task.span * kSpanPages, page_end = imin(page_begin + kSpanPages, pages_of(length));

    int tiles = (dim + kTile - 1) / kTile;
    float* q = scratch;                             // [tiles][rows][kTile]
    float* scores = q + tiles * kTaskRows * kTile;  // [kRows][FARM_PAGE]
    float* out = scores + kRows * FARM_PAGE;        // [rows][width]
    float maximum[kTaskRows], sum[kTaskRows];
    int limit[kTaskRows];
    for (int j = 0; j < task.rows; j++) {
        int row = task.first_row + j, token = row / group, head = task.head * group + row % group;
        const float* from = a.queries + static_cast<int64_t>(first_token + token) * a.query_stride + head * dim;
        for (int t = 0; t < tiles; t++)
            std::memcpy(q + (t * task.rows + j) * kTile, from + t * kTile,
                        sizeof(float) * imin(kTile, dim - t * kTile));
        maximum[j] = -INFINITY;
        sum[j] = 0.0f;
        limit[j] = task.prefix ? length : length - new_tokens + token + 1;
    }
    std::memset(out, 0, sizeof(float) * task.rows * width);

    int64_t head_bytes = farm_kv_head_bytes(pool.dtype, dim);
    for (int page = page_begin; page < page_end; page++) {
        int base = page * FARM_PAGE;
        int64_t index = (static_cast<int64_t>(pages[page]) * pool.layers + a.layer) * pool.heads + task.head;
        const T* keys = reinterpret_cast<const T*>(static_cast<const char*>(pool.data) + index * head_bytes);
        const T* values = keys + static_cast<int64_t>(FARM_PAGE) * dim;
        for (int r = 0; r < task.rows; r += kRows) {
            int rows = imin(kRows, task.rows - r);
            int visible = imin(FARM_PAGE, limit[r + rows - 1] - base);  // limits never fall from row to row
            if (visible <= 0) continue;
            int padded = static_cast<int>(round_up(visible, 16));
            for (int t = 0; t < tiles; t++)
                gemm_rows(rows, q + (t * task.rows + r) * kTile, keys + static_cast<int64_t>(t) * kTile * 16,
                          static_cast<int64_t>(dim) * 16, padded / 16, imin(kTile, dim - t * kTile), scores, FARM_PAGE,
                          t == 0);
            for (int i = 0; i < rows; i++) {
                int j = r + i, seen = imax(0, imin(visible, limit[j] - base));
                float correction = softmax_row(scores + i * FARM_PAGE, seen, padded, a.scale, maximum + j, sum + j);
                if (correction != 1.0f) {
                    VF c = vf_set1(correction);
                    for (int d = 0; d < width; d += 16)
                        vf_store(out + j * width + d, vf_mul(vf_load(out + j * width + d), c));
                }
            }
            gemm_rows(rows, scores, values, static_cast<int64_t>(FARM_PAGE) * 16, width / 16, visible, out + r * width,
                      width, false);
        }
    }

    for (int j = 0; j < task.rows; j++) {
        int row = task.first_row + j, token = first_token + row / group, head = task.head * group + row % group;
        const RowPlan& plan = call.rows[token];
        const float* o = out + j * width;
        if (plan.spans == 1) {
            float* to = a.output + static_cast<int64_t>(token) * a.output_stride + head * dim;
            VF inverse = vf_set1(1.0f / sum[j]);
            for (int d = 0; d < dim; d += 16) {
                VF v = vf_mul(vf_load(o + d), inverse);
                if (dim - d >= 16)
                    vf_store(to + d, v);
                else
                    vf_store_partial(to + d, v, dim - d);
            }
        } else {
            float* to = call.partials +
                        (plan.partial + static_cast<int64_t>(head) * plan.spans + task.slot) * call.partial_size;
            to[0] = maximum[j];
            to[1] = sum[j];
            std::memcpy(to + 16, o, sizeof(float) * width);
        }
    }
}

// Merges the spans of one row and head: weights exp(m_i - m), m the overall maximum.
static void merge_spans(const AttentionCall& call, int token, int head) {
    const farm_attention_args& a = *call.args;
    const RowPlan& plan = call.rows[token];
    const float* partial = call.partials + (plan.partial + static_cast<int64_t>(head) * plan.spans) * call.partial_size;
    float maximum = -INFINITY, sum = 0.0f;
    for (int i = 0; i < plan.spans; i++) {
        float m = partial[i * call.partial_size];
        maximum = m > maximum ? m : maximum;
    }
    float* to = a.output + static_cast<int64_t>(token) * a.output_stride + head * call.dim;
    for (int i = 0; i < plan.spans; i++)
        sum += partial[i * call.partial_size + 1] * std::exp(partial[i * call.partial_size] - maximum);
    float inverse = 1.0f / sum;
    for (int d = 0; d < call.dim; d += 16) {
        VF v = vf_zero();
        for (int i = 0; i < plan.spans; i++) {
            const float* p = partial + i * call.partial_size;
            v = vf_fma(vf_set1(std::exp(p[0] - maximum) * inverse), vf_load(p + 16 + d), v);
        }
        if (call.dim - d >= 16)
            vf_store(to + d, v);
        else
            vf_store_partial(to + d, v, call.dim - d);
    }
}

// Appends the tasks of `rows` rows of one prefix or suffix; with tasks NULL only counts them.
static int add_tasks(AttentionTask* tasks, int count, bool prefix, int index, int kv_heads, int rows, int spans,
                     int slot) {
    for (int head = 0; head < kv_heads; head++)
        for (int span = 0; span < spans; span++)
            for (int r = 0; r < rows; r += kTaskRows, count++)
                if (tasks != nullptr)
                    tasks[count] = {index, static_cast<int16_t>(prefix), static_cast<int16_t>(head), span, slot + span,
                                    r,     imin(kTaskRows, rows - r)};
    return count;
}

static int plan_tasks(const farm_attention_args& a, int group, AttentionTask* tasks) {
    int count = 0, heads = a.pool->heads;
    for (int g = 0; g < a.groups; g++) {
        int s0 = a.sequence_start[g], s1 = a.sequence_start[g + 1], prefix = spans_of(a.prefix_length[g]);
        count = add_tasks(tasks, count, true, g, heads, (a.query_start[s1] - a.query_start[s0]) * group, prefix, 0);
        for (int s = s0; s < s1; s++)
            count = add_tasks(tasks, count, false, s, heads, (a.query_start[s + 1] - a.query_start[s]) * group,
                              spans_of(a.suffix_length[s]), prefix);
    }
    return count;
}

static int attention(farm_context* context, const farm_attention_args* args) {
    const farm_attention_args& a = *args;
    int tokens = a.query_start[a.sequences];
    if (tokens == 0) return FARM_OK;
    AttentionCall call;
    call.args = args;
    call.heads_per_kv = a.query_heads / a.pool->heads;
    call.dim = a.pool->head_dim;
    call.width = static_cast<int>(round_up(call.dim, 16));
    call.partial_size = call.width + 16;

    int tasks = plan_tasks(a, call.heads_per_kv, nullptr);
    int64_t partials = 0;
    int merged = 0;
    for (int g = 0; g < a.groups; g++)
        for (int s = a.sequence_start[g]; s < a.sequence_start[g + 1]; s++) {
            int spans = spans_of(a.prefix_length[g]) + spans_of(a.suffix_length[s]);
            int rows = a.query_start[s + 1] - a.query_start[s];
            if (spans > 1) {
                partials += static_cast<int64_t>(rows) * a.query_heads * spans;
                merged += rows;
            }
        }
    int64_t task_bytes = round_up(static_cast<int64_t>(sizeof(AttentionTask)) * tasks, 64);
    int64_t row_bytes = round_up(static_cast<int64_t>(sizeof(RowPlan)) * tokens, 64);
    char* shared =
        static_cast<char*>(context->shared.reserve(task_bytes + row_bytes + partials * call.partial_size * 4));
    int tiles = (call.dim + kTile - 1) / kTile;
    int64_t per_thread = tiles * kTaskRows * kTile + kRows * FARM_PAGE + kTaskRows * call.width;
    float* scratch = static_cast<float*>(context->threads.reserve(per_thread * 4 * context->pool.threads()));
    if (shared == nullptr || scratch == nullptr) return FARM_E_MEMORY;

    auto* list = reinterpret_cast<AttentionTask*>(shared);
    auto* rows = reinterpret_cast<RowPlan*>(shared + task_bytes);
    call.rows = rows;
    call.partials = reinterpret_cast<float*>(shared + task_bytes + row_bytes);
    plan_tasks(a, call.heads_per_kv, list);
    int64_t next = 0;
    for (int g = 0; g < a.groups; g++)
        for (int s = a.sequence_start[g]; s < a.sequence_start[g + 1]; s++) {
            int spans = spans_of(a.prefix_length[g]) + spans_of(a.suffix_length[s]);
            for (int t = a.query_start[s]; t < a.query_start[s + 1]; t++) {
                rows[t] = {next, spans};
                if (spans > 1) next += static_cast<int64_t>(a.query_heads) * spans;
            }
        }

    context->pool.parallel(tasks, [&](int task, int thread) {
        if (a.pool->dtype == FARM_F32)
            attention_span<float>(call, list[task], scratch + thread * per_thread);
        else
            attention_span<uint16_t>(call, list[task], scratch + thread * per_thread);
    });
    if (merged > 0)
        context->pool.parallel(tokens, [&](int t, int) {
            if (rows[t].spans > 1)
                for (int h = 0; h < a.query_heads; h++) merge_spans(call, t, h);
        });
    return FARM_OK;
}
