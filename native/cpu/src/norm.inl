// RMSNorm of rows, in place where input and output are one.
static int rms_norm(farm_context* context, const float* input, int input_stride, const float* weight, float epsilon,
                    float* output, int output_stride, int rows, int columns) {
    context->pool.parallel_rows(rows, [&](int r, int) {
        const float* x = input + static_cast<int64_t>(r) * input_stride;
        float* y = output + static_cast<int64_t>(r) * output_stride;
        VF scale = vf_set1(rms_scale(x, columns, epsilon));
        int i = 0;
        for (; i + 16 <= columns; i += 16) vf_store(y + i, vf_mul(vf_mul(vf_load(x + i), scale), vf_load(weight + i)));
        if (int n = columns - i; n > 0) {
            VF g = vf_load_partial(weight + i, n, 0.0f);
            vf_store_partial(y + i, vf_mul(vf_mul(vf_load_partial(x + i, n, 0.0f), scale), g), n);
        }
    });
    return FARM_OK;
}
