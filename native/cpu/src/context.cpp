#include "context.h"

#include <sys/mman.h>

#include <new>

namespace farm {

Scratch::~Scratch() {
    if (data != nullptr) farm_free(data, size);
}

void* Scratch::reserve(int64_t bytes) {
    if (bytes > size) {
        if (data != nullptr) farm_free(data, size);
        size = (bytes + 4095) / 4096 * 4096;
        data = static_cast<char*>(farm_allocate(size));
        if (data == nullptr) size = 0;
    }
    return data;
}

namespace {

bool supported(int level) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    switch (level) {
        case FARM_LEVEL_PORTABLE:
            return true;
        case FARM_LEVEL_AVX2:
            return avx2;
        case FARM_LEVEL_AVX512:
            return avx512;
        case FARM_LEVEL_AVX512_VNNI:
            return avx512 && __builtin_cpu_supports("avx512vnni");
        case FARM_LEVEL_AVX512_BF16:
            return avx512 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
        default:
            return false;
    }
#else
    return level == FARM_LEVEL_PORTABLE;
#endif
}

const Kernels* kernels_of(int level) {
    switch (level) {
#if defined(__x86_64__)
        case FARM_LEVEL_AVX512_BF16:
            return &kAvx512Bf16;
        case FARM_LEVEL_AVX512_VNNI:
            return &kAvx512Vnni;
        case FARM_LEVEL_AVX512:
            return &kAvx512;
        case FARM_LEVEL_AVX2:
            return &kAvx2;
#endif
        default:
            return &kPortable;
    }
}

}  // namespace
}  // namespace farm

extern "C" {

int farm_abi_version(void) {
    return FARM_ABI_VERSION;
}

int farm_best_level(void) {
    int level = FARM_LEVEL_AVX512_BF16;
    while (!farm::supported(level)) level--;
    return level;
}

int farm_create(int threads, int level, farm_context** out) {
    if (level < 0) level = farm_best_level();
    if (threads < 1) return FARM_E_ARGUMENT;
    if (!farm::supported(level)) return FARM_E_UNSUPPORTED;
    auto* context = new (std::nothrow) farm_context(threads);
    if (context == nullptr) return FARM_E_MEMORY;
    context->kernels = farm::kernels_of(level);
    *out = context;
    return FARM_OK;
}

void farm_destroy(farm_context* context) {
    delete context;
}

void* farm_allocate(int64_t bytes) {
    void* memory =
        mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
#ifdef MADV_HUGEPAGE
    // Weights are streamed once per step: large pages keep address translation out of the way.
    if (bytes >= (4 << 20)) madvise(memory, static_cast<size_t>(bytes), MADV_HUGEPAGE);
#endif
    return memory;
}

void farm_free(void* memory, int64_t bytes) {
    munmap(memory, static_cast<size_t>(bytes));
}

int farm_linear(farm_context* c, const farm_weight* w, const farm_linear_args* a) {
    return c->kernels->linear(c, w, a);
}

int farm_rms_norm(farm_context* c, const float* input, int input_stride, const float* weight, float epsilon,
                  float* output, int output_stride, int rows, int columns) {
    return c->kernels->rms_norm(c, input, input_stride, weight, epsilon, output, output_stride, rows, columns);
}

int farm_rope_append(farm_context* c, float* qkv, int qkv_stride, int rows, int query_heads, int kv_heads, int head_dim,
                     const int32_t* positions, const float* cosine, const float* sine, const farm_kv_pool* pool,
                     int layer, const int32_t* slots) {
    return c->kernels->rope_append(c, qkv, qkv_stride, rows, query_heads, kv_heads, head_dim, positions, cosine, sine,
                                   pool, layer, slots);
}

int farm_attention(farm_context* c, const farm_attention_args* a) {
    return c->kernels->attention(c, a);
}
int farm_sample(farm_context* c, const farm_sample_args* a) {
    return c->kernels->sample(c, a);
}

int farm_logprob_gather(farm_context* c, const float* logits, int logits_stride, int rows, int vocabulary,
                        const int32_t* ids, float temperature, float* logprobs, float* entropy) {
    return c->kernels->logprob_gather(c, logits, logits_stride, rows, vocabulary, ids, temperature, logprobs, entropy);
}

double farm_measure(farm_context* c, int what) {
    return c->kernels->measure(c, what);
}

int farm_matmul(farm_context* context, const farm_matrix* a, const farm_matrix* b, float* c, int c_stride, int m, int n,
                int k, int accumulate) {
    return context->kernels->matmul(context, a, b, c, c_stride, m, n, k, accumulate);
}

int farm_add_bias(farm_context* context, const float* bias, float* output, int stride, int rows, int columns) {
    return context->kernels->add_bias(context, bias, output, stride, rows, columns);
}

int farm_sum_rows(farm_context* context, const float* input, int stride, int rows, int columns, float* sum) {
    return context->kernels->sum_rows(context, input, stride, rows, columns, sum);
}

int farm_scale(farm_context* context, const float* source, int source_stride, float scale, float* destination,
               int destination_stride, int rows, int columns, int accumulate) {
    return context->kernels->scale(context, source, source_stride, scale, destination, destination_stride, rows,
                                   columns, accumulate);
}

int farm_rms_norm_backward(farm_context* context, const float* input, int input_stride, const float* weight,
                           float epsilon, const float* output_gradient, int output_gradient_stride,
                           float* input_gradient, int input_gradient_stride, float* weight_gradient, int rows,
                           int columns) {
    return context->kernels->rms_norm_backward(context, input, input_stride, weight, epsilon, output_gradient,
                                               output_gradient_stride, input_gradient, input_gradient_stride,
                                               weight_gradient, rows, columns);
}

int farm_rope_backward(farm_context* context, float* gradient, int stride, int rows, int heads, int head_dim,
                       const int32_t* positions, const float* cosine, const float* sine) {
    return context->kernels->rope_backward(context, gradient, stride, rows, heads, head_dim, positions, cosine, sine);
}

int farm_attention_train(farm_context* context, const farm_attention_train_args* args) {
    return context->kernels->attention_train(context, args);
}

int farm_attention_backward(farm_context* context, const farm_attention_train_args* args) {
    return context->kernels->attention_backward(context, args);
}

int farm_swiglu(farm_context* context, const float* gate_up, int gate_up_stride, float* output, int output_stride,
                int rows, int columns) {
    return context->kernels->swiglu(context, gate_up, gate_up_stride, output, output_stride, rows, columns);
}

int farm_swiglu_backward(farm_context* context, const float* gate_up, int gate_up_stride, const float* output_gradient,
                         int output_gradient_stride, float* gate_up_gradient, int gate_up_gradient_stride, int rows,
                         int columns) {
    return context->kernels->swiglu_backward(context, gate_up, gate_up_stride, output_gradient, output_gradient_stride,
                                             gate_up_gradient, gate_up_gradient_stride, rows, columns);
}

int farm_embedding_backward(farm_context* context, const int32_t* ids, const float* output_gradient,
                            int output_gradient_stride, float* table_gradient, int table_stride, int rows,
                            int columns) {
    return context->kernels->embedding_backward(context, ids, output_gradient, output_gradient_stride, table_gradient,
                                                table_stride, rows, columns);
}

int farm_linear_cross_entropy(farm_context* context, const farm_cross_entropy_args* args) {
    return context->kernels->linear_cross_entropy(context, args);
}

int farm_sum_of_squares(farm_context* context, const float* data, int64_t count, double* sum) {
    return context->kernels->sum_of_squares(context, data, count, sum);
}

int farm_adamw(farm_context* context, const farm_adamw_args* args) {
    return context->kernels->adamw(context, args);
}

int farm_gae(farm_context* context, const float* rewards, const float* values, const int32_t* starts, int rows,
             float gamma, float lambda, float* advantages, float* returns) {
    return context->kernels->gae(context, rewards, values, starts, rows, gamma, lambda, advantages, returns);
}

int farm_whiten(farm_context* context, const float* input, int64_t n, int shift_mean, float* output) {
    return context->kernels->whiten(context, input, n, shift_mean, output);
}

int farm_token_kl(farm_context* context, const float* logprobs, const float* reference_logprobs, int64_t n,
                  int estimator, float* kl) {
    return context->kernels->token_kl(context, logprobs, reference_logprobs, n, estimator, kl);
}

int farm_linear_policy(farm_context* context, const farm_policy_args* args) {
    return context->kernels->linear_policy(context, args);
}

int farm_value_loss(farm_context* context, const float* values, const float* old_values, const float* returns,
                    int64_t n, float clip, float scale, float* losses, float* clipped, float* gradients) {
    return context->kernels->value_loss(context, values, old_values, returns, n, clip, scale, losses, clipped,
                                        gradients);
}

int farm_dpo_loss(farm_context* context, const farm_dpo_args* args) {
    return context->kernels->dpo_loss(context, args);
}

int farm_pairwise_loss(farm_context* context, const float* rewards, int rewards_stride, const int32_t* choices,
                       int pairs, float scale, float* losses, float* gradients, int gradients_stride) {
    return context->kernels->pairwise_loss(context, rewards, rewards_stride, choices, pairs, scale, losses, gradients,
                                           gradients_stride);
}

int farm_quark_loss(farm_context* context, const farm_quark_args* args) {
    return context->kernels->quark_loss(context, args);
}

}  // extern "C"
