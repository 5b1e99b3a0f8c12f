// The output layer and its cross-entropy in one: a block of rows' logits become losses and, in place, their own
// gradients, which two products carry back to the hidden states and the weight before the next block overwrites them.

constexpr int64_t kLogitBudget = int64_t{64} << 20;  // bytes of one block's logits

static int linear_cross_entropy(farm_context* context, const farm_cross_entropy_args* args) {
    const farm_cross_entropy_args& a = *args;
    if (a.rows == 0) return FARM_OK;
    int vocabulary = a.vocabulary, stride = static_cast<int>(round_up(vocabulary, 16));
    int block = imax(8, static_cast<int>(kLogitBudget / (static_cast<int64_t>(stride) * 4)) / 8 * 8);
    block = imin(block, a.rows);
    float* logits = static_cast<float*>(context->logits.reserve(static_cast<int64_t>(block) * stride * 4));
    if (logits == nullptr) return FARM_E_MEMORY;
    bool gradients = a.hidden_gradient != nullptr || a.weight_gradient != nullptr;
    for (int row0 = 0; row0 < a.rows; row0 += block) {
        int rows = imin(block, a.rows - row0);
        const float* hidden = a.hidden + static_cast<int64_t>(row0) * a.hidden_stride;
        farm_matrix x = {hidden, FARM_F32, a.hidden_stride, 0};
        farm_matrix w = a.weight;
        w.transposed = 1;
        if (int status = matmul(context, &x, &w, logits, stride, rows, vocabulary, a.columns, 0)) return status;
        context->pool.parallel(rows, [&](int r, int) {
            float* z = logits + static_cast<int64_t>(r) * stride;
            int label = a.labels[row0 + r];
            if (label < 0) {
                a.losses[row0 + r] = 0.0f;
                if (gradients) std::memset(z, 0, sizeof(float) * vocabulary);
                return;
            }
            float maximum = maximum_of(z, vocabulary), target = z[label];
            double mass = softmax_sums<false>(z, vocabulary, 1.0f, maximum, gradients ? z : nullptr).mass;
            a.losses[row0 + r] = static_cast<float>(std::log(mass) - (static_cast<double>(target) - maximum));
            if (!gradients) return;
            float scale = a.scales[row0 + r], factor = static_cast<float>(scale / mass);
            VF vfactor = vf_set1(factor);  // the row's padding up to a whole vector takes part
            for (int i = 0; i < stride; i += 16) vf_store(z + i, vf_mul(vf_load(z + i), vfactor));
            z[label] -= scale;
        });
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
