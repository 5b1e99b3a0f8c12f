// The row-wise backward operations of training, and the optimiser's passes. Sums over rows walk the rows in order, in
// parallel over columns.

static int add_bias(farm_context* context, const float* bias, float* output, int stride, int rows, int columns) {
    context->pool.parallel_rows(
        rows, [&](int r, int) { add_row(bias, columns, output + static_cast<int64_t>(r) * stride, true); });
    return FARM_OK;
}

constexpr int kColumnsPerTask = 64;

static int sum_rows(farm_context* context, const float* input, int stride, int rows, int columns, float* sum) {
    context->pool.parallel((columns + kColumnsPerTask - 1) / kColumnsPerTask, [&](int task, int) {
        int begin = task * kColumnsPerTask, count = imin(kColumnsPerTask, columns - begin);
        for (int r = 0; r < rows; r++)
            add_row(input + static_cast<int64_t>(r) * stride + begin, count, sum + begin, true);
    });
    return FARM_OK;
}

static int scale(farm_context* context, const float* source, int source_stride, float factor, float* destination,
                 int destination_stride, int rows, int columns, int accumulate) {
    context->pool.parallel_rows(rows, [&](int r, int) {
        const float* from = source + static_cast<int64_t>(r) * source_stride;
        float* to = destination + static_cast<int64_t>(r) * destination_stride;
        if (factor == 0.0f && !accumulate) {
            std::memset(to, 0, sizeof(float) * columns);  // without reading what is there
            return;
        }
        VF f = vf_set1(factor);
        for (int c = 0; c < columns; c += 16) {
            int n = imin(16, columns - c);
            VF v = vf_mul(load_lanes(from + c, n), f);
            store_lanes(to + c, accumulate ? vf_add(v, load_lanes(to + c, n)) : v, n);
        }
    });
    return FARM_OK;
}

static int rms_norm_backward(farm_context* context, const float* input, int input_stride, const float* weight,
                             float epsilon, const float* output_gradient, int output_gradient_stride,
                             float* input_gradient, int input_gradient_stride, float* weight_gradient, int rows,
                             int columns) {
    if (rows == 0) return FARM_OK;
    float* inverse = static_cast<float*>(context->shared.reserve(round_up(rows, 16) * 4));
    if (inverse == nullptr) return FARM_E_MEMORY;
    context->pool.parallel_rows(rows, [&](int r, int) {
        const float* x = input + static_cast<int64_t>(r) * input_stride;
        const float* g = output_gradient + static_cast<int64_t>(r) * output_gradient_stride;
        float* to = input_gradient + static_cast<int64_t>(r) * input_gradient_stride;
        float scale = rms_scale(x, columns, epsilon);
        inverse[r] = scale;
        VF sum = vf_zero();
        for (int i = 0; i < columns; i += 16) {
            int n = imin(16, columns - i);
            VF gw = n == 16 ? vf_mul(vf_load(g + i), vf_load(weight + i))
                            : vf_mul(vf_load_partial(g + i, n, 0.0f), vf_load_partial(weight + i, n, 0.0f));
            sum = vf_fma(gw, n == 16 ? vf_load(x + i) : vf_load_partial(x + i, n, 0.0f), sum);
        }
        float mean = vf_hsum(sum) / static_cast<float>(columns), shrink = scale * scale * mean;
        VF vscale = vf_set1(scale), vshrink = vf_set1(shrink);
        for (int i = 0; i < columns; i += 16) {
            int n = imin(16, columns - i);
            VF gw = vf_mul(load_lanes(g + i, n), load_lanes(weight + i, n));
            VF change = vf_sub(gw, vf_mul(load_lanes(x + i, n), vshrink));
            store_lanes(to + i, vf_fma(vscale, change, load_lanes(to + i, n)), n);
        }
    });
    if (weight_gradient == nullptr) return FARM_OK;
    context->pool.parallel((columns + kColumnsPerTask - 1) / kColumnsPerTask, [&](int task, int) {
        int begin = task * kColumnsPerTask, end = imin(begin + kColumnsPerTask, columns);
        for (int r = 0; r < rows; r++) {
            const float* x = input + static_cast<int64_t>(r) * input_stride;
            const float* g = output_gradient + static_cast<int64_t>(r) * output_gradient_stride;
            VF scale = vf_set1(inverse[r]);
            for (int c = begin; c < end; c += 16) {
                int n = imin(16, end - c);
                VF v = vf_mul(load_lanes(g + c, n), load_lanes(x + c, n));
                store_lanes(weight_gradient + c, vf_fma(v, scale, load_lanes(weight_gradient + c, n)), n);
            }
        }
    });
    return FARM_OK;
}

static int rope_backward(farm_context* context, float* gradient, int stride, int rows, int heads, int head_dim,
                         const int32_t* positions, const float* cosine, const float* sine) {
    context->pool.parallel_rows(rows, [&](int r, int) {
        float* row = gradient + static_cast<int64_t>(r) * stride;
        int half = head_dim / 2;
        const float* c = cosine + static_cast<int64_t>(positions[r]) * half;
        const float* s = sine + static_cast<int64_t>(positions[r]) * half;
        for (int h = 0; h < heads; h++) {
            float* head = row + h * head_dim;
            for (int i = 0; i < half; i += 16) {
                int n = imin(16, half - i);
                VF a = load_lanes(head + i, n), b = load_lanes(head + i + half, n);
                VF cosines = load_lanes(c + i, n), sines = load_lanes(s + i, n);
                store_lanes(head + i, vf_fma(a, cosines, vf_mul(b, sines)), n);
                store_lanes(head + i + half, vf_sub(vf_mul(b, cosines), vf_mul(a, sines)), n);
            }
        }
    });
    return FARM_OK;
}

static int swiglu(farm_context* context, const float* gate_up, int gate_up_stride, float* output, int output_stride,
                  int rows, int columns) {
    context->pool.parallel_rows(rows, [&](int r, int) {
        const float* gate = gate_up + static_cast<int64_t>(r) * gate_up_stride;
        float* to = output + static_cast<int64_t>(r) * output_stride;
        for (int i = 0; i < columns; i += 16) {
            int n = imin(16, columns - i);
            store_lanes(to + i, vf_mul(silu(load_lanes(gate + i, n)), load_lanes(gate + columns + i, n)), n);
        }
    });
    return FARM_OK;
}

// silu'(x) = sigmoid(x) (1 + x (1 - sigmoid(x))).
static int swiglu_backward(farm_context* context, const float* gate_up, int gate_up_stride,
                           const float* output_gradient, int output_gradient_stride, float* gate_up_gradient,
                           int gate_up_gradient_stride, int rows, int columns) {
    context->pool.parallel_rows(rows, [&](int r, int) {
        const float* gate = gate_up + static_cast<int64_t>(r) * gate_up_stride;
        const float* g = output_gradient + static_cast<int64_t>(r) * output_gradient_stride;
        float* to = gate_up_gradient + static_cast<int64_t>(r) * gate_up_gradient_stride;
        VF one = vf_set1(1.0f);
        for (int i = 0; i < columns; i += 16) {
            int n = imin(16, columns - i);
            VF x = load_lanes(gate + i, n), up = load_lanes(gate + columns + i, n), dy = load_lanes(g + i, n);
            VF sigmoid = vf_div(one, vf_add(one, vf_exp(vf_sub(vf_zero(), x))));
            VF slope = vf_mul(sigmoid, vf_fma(x, vf_sub(one, sigmoid), one));
            store_lanes(to + i, vf_mul(vf_mul(dy, up), slope), n);
            store_lanes(to + columns + i, vf_mul(dy, vf_mul(x, sigmoid)), n);
        }
    });
    return FARM_OK;
}

static int embedding_backward(farm_context* context, const int32_t* ids, const float* output_gradient,
                              int output_gradient_stride, float* table_gradient, int table_stride, int rows,
                              int columns) {
    context->pool.parallel((columns + kColumnsPerTask - 1) / kColumnsPerTask, [&](int task, int) {
        int begin = task * kColumnsPerTask, count = imin(kColumnsPerTask, columns - begin);
        for (int r = 0; r < rows; r++)
            add_row(output_gradient + static_cast<int64_t>(r) * output_gradient_stride + begin, count,
                    table_gradient + static_cast<int64_t>(ids[r]) * table_stride + begin, true);
    });
    return FARM_OK;
}

// Blocks of a fixed size, each summed by one thread, the blocks' sums added in order.
static int sum_of_squares(farm_context* context, const float* data, int64_t count, double* sum) {
    constexpr int64_t kChunk = 65536;
    int chunks = static_cast<int>((count + kChunk - 1) / kChunk);
    double* partial = static_cast<double*>(context->shared.reserve(static_cast<int64_t>(chunks) * 8 + 64));
    if (partial == nullptr) return FARM_E_MEMORY;
    context->pool.parallel(chunks, [&](int chunk, int) {
        int64_t begin = chunk * kChunk, end = begin + kChunk < count ? begin + kChunk : count;
        double lanes[16] = {};
        int64_t i = begin;
        for (; i + 16 <= end; i += 16)
            for (int l = 0; l < 16; l++) lanes[l] += static_cast<double>(data[i + l]) * data[i + l];
        for (; i < end; i++) lanes[0] += static_cast<double>(data[i]) * data[i];
        double total = 0.0;
        for (double lane : lanes) total += lane;
        partial[chunk] = total;
    });
    double total = 0.0;
    for (int i = 0; i < chunks; i++) total += partial[i];
    *sum = total;
    return FARM_OK;
}

static int adamw(farm_context* context, const farm_adamw_args* args) {
    const farm_adamw_args a = *args;
    constexpr int64_t kChunk = 16384;
    double correction1 = 1.0 - std::pow(static_cast<double>(a.beta1), a.step);
    double correction2 = 1.0 - std::pow(static_cast<double>(a.beta2), a.step);
    float inverse1 = static_cast<float>(1.0 / correction1), inverse2 = static_cast<float>(1.0 / correction2);
    float decay = 1.0f - a.learning_rate * a.weight_decay;
    VF scale = vf_set1(a.gradient_scale);
    context->pool.parallel(static_cast<int>((a.count + kChunk - 1) / kChunk), [&](int chunk, int) {
        int64_t begin = chunk * kChunk, end = begin + kChunk < a.count ? begin + kChunk : a.count;
        for (int64_t i = begin; i < end; i += 16) {
            int n = end - i < 16 ? static_cast<int>(end - i) : 16;
            VF g = vf_mul(load_lanes(a.gradient + i, n), scale);
            VF m = vf_fma(vf_set1(1.0f - a.beta1), g, vf_mul(vf_set1(a.beta1), load_lanes(a.first_moment + i, n)));
            VF v = vf_fma(vf_mul(vf_set1(1.0f - a.beta2), g), g,
                          vf_mul(vf_set1(a.beta2), load_lanes(a.second_moment + i, n)));
            VF root = vf_add(vf_sqrt(vf_mul(v, vf_set1(inverse2))), vf_set1(a.epsilon));
            VF move = vf_div(vf_mul(vf_set1(a.learning_rate), vf_mul(m, vf_set1(inverse1))), root);
            store_lanes(a.first_moment + i, m, n);
            store_lanes(a.second_moment + i, v, n);
            VF kept = vf_mul(load_lanes(a.parameter + i, n), vf_set1(decay));
            store_lanes(a.parameter + i, vf_sub(kept, move), n);
        }
    });
    return FARM_OK;
}
