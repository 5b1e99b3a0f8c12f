// The output layer and what is made of its logits in one: a block of rows' logits become results and, in place, their
// own gradients, which two products carry back to the hidden states and the weight before the next block overwrites
// them.

constexpr int64_t kLogitBudget = int64_t{64} << 20;  // bytes of one block's logits

struct OutputLayer {
    const float* hidden;
    farm_matrix weight;      // [vocabulary, columns], not transposed
    float* hidden_gradient;  // NULL: none
    float* weight_gradient;  // NULL: none
    int rows, columns, vocabulary, hidden_stride, hidden_gradient_stride, weight_gradient_stride;
};

// Calls row(t, z) for each row t with its logits z, which it turns into their gradient if any gradient is wanted.
template <class Row>
static int through_vocabulary(farm_context* context, const OutputLayer& a, const Row& row) {
    if (a.rows == 0) return FARM_OK;
    int vocabulary = a.vocabulary, stride = static_cast<int>(round_up(vocabulary, 16));
    int block = imax(8, static_cast<int>(kLogitBudget / (static_cast<int64_t>(stride) * 4)) / 8 * 8);
    block = imin(block, a.rows);
    float* logits = static_cast<float*>(context->logits.reserve(static_cast<int64_t>(block) * stride * 4));
    if (logits == nullptr) return FARM_E_MEMORY;
    for (int row0 = 0; row0 < a.rows; row0 += block) {
        int rows = imin(block, a.rows - row0);
        const float* hidden = a.hidden + static_cast<int64_t>(row0) * a.hidden_stride;
        farm_matrix x = {hidden, FARM_F32, a.hidden_stride, 0};
        farm_matrix w = a.weight;
        w.transposed = 1;
        if (int status = matmul(context, &x, &w, logits, stride, rows, vocabulary, a.columns, 0)) return status;
        context->pool.parallel(rows, [&](int r, int) { row(row0 + r, logits + static_cast<int64_t>(r) * stride); });
        farm_matrix dz = {logits, FARM_F32, stride, 0};
        if (a.hidden_gradient != nullptr) {
            float* to = a.hidden_gradient + static_cast<int64_t>(row0) * a.hidden_gradient_stride;
            if (int status =
                    matmul(context, &dz, &a.weight, to, a.hidden_gradient_stride, rows, a.columns, vocabulary, 0))
                return status;
        }
        if (a.weight_gradient != nullptr) {
            dz.transposed = 1;
            if (int status = matmul(context, &dz, &x, a.weight_gradient, a.weight_gradient_stride, vocabulary,
                                    a.columns, rows, 1))
                return status;
        }
    }
    return FARM_OK;
}

static int linear_cross_entropy(farm_context* context, const farm_cross_entropy_args* args) {
    const farm_cross_entropy_args& a = *args;
    int vocabulary = a.vocabulary;
    bool gradients = a.hidden_gradient != nullptr || a.weight_gradient != nullptr;
    OutputLayer layer = {
        a.hidden,  a.weight,     a.hidden_gradient, a.weight_gradient,        a.rows,
        a.columns, a.vocabulary, a.hidden_stride,   a.hidden_gradient_stride, a.weight_gradient_stride};
    return through_vocabulary(context, layer, [&](int t, float* z) {
        int label = a.labels[t];
        if (label < 0) {
            a.losses[t] = 0.0f;
            if (gradients) std::memset(z, 0, sizeof(float) * vocabulary);
            return;
        }
        float maximum = maximum_of(z, vocabulary), target = z[label];
        double mass = softmax_sums<false>(z, vocabulary, 1.0f, maximum, gradients ? z : nullptr).mass;
        a.losses[t] = static_cast<float>(std::log(mass) - (static_cast<double>(target) - maximum));
        if (!gradients) return;
        float scale = a.scales[t], factor = static_cast<float>(scale / mass);
        for (int i = 0; i < vocabulary; i++) z[i] *= factor;
        z[label] -= scale;
    });
}
