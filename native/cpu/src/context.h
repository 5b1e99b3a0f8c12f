// What a call needs besides its arguments: threads, scratch memory and the kernels of the chosen SIMD level.
#pragma once

#include "farm_native.h"
#include "farm_native_reinforcement.h"
#include "farm_native_training.h"
#include "thread_pool.h"

namespace farm {

// Grows when a call needs more than any before it; a steady workload allocates nothing.
struct Scratch {
    char* data = nullptr;
    int64_t size = 0;
    ~Scratch();
    // NULL when the system has no memory left.
    void* reserve(int64_t bytes);
};

struct Kernels {
    int (*linear)(farm_context*, const farm_weight*, const farm_linear_args*);
    int (*rms_norm)(farm_context*, const float*, int, const float*, float, float*, int, int, int);
    int (*rope_append)(farm_context*, float*, int, int, int, int, int, const int32_t*, const float*, const float*,
                       const farm_kv_pool*, int, const int32_t*);
    int (*attention)(farm_context*, const farm_attention_args*);
    int (*sample)(farm_context*, const farm_sample_args*);
    int (*logprob_gather)(farm_context*, const float*, int, int, int, const int32_t*, float, float*, float*);
    double (*measure)(farm_context*, int);

    int (*matmul)(farm_context* context, const farm_matrix* a, const farm_matrix* b, float* c, int c_stride, int m,
                  int n, int k, int accumulate);
    int (*add_bias)(farm_context* context, const float* bias, float* output, int stride, int rows, int columns);
    int (*sum_rows)(farm_context* context, const float* input, int stride, int rows, int columns, float* sum);
    int (*scale)(farm_context* context, const float* source, int source_stride, float scale, float* destination,
                 int destination_stride, int rows, int columns, int accumulate);
    int (*rms_norm_backward)(farm_context* context, const float* input, int input_stride, const float* weight,
                             float epsilon, const float* output_gradient, int output_gradient_stride,
                             float* input_gradient, int input_gradient_stride, float* weight_gradient, int rows,
                             int columns);
    int (*rope_backward)(farm_context* context, float* gradient, int stride, int rows, int heads, int head_dim,
                         const int32_t* positions, const float* cosine, const float* sine);
    int (*attention_train)(farm_context* context, const farm_attention_train_args* args);
    int (*attention_backward)(farm_context* context, const farm_attention_train_args* args);
    int (*swiglu)(farm_context* context, const float* gate_up, int gate_up_stride, float* output, int output_stride,
                  int rows, int columns);
    int (*swiglu_backward)(farm_context* context, const float* gate_up, int gate_up_stride,
                           const float* output_gradient, int output_gradient_stride, float* gate_up_gradient,
                           int gate_up_gradient_stride, int rows, int columns);
    int (*embedding_backward)(farm_context* context, const int32_t* ids, const float* output_gradient,
                              int output_gradient_stride, float* table_gradient, int table_stride, int rows,
                              int columns);
    int (*linear_cross_entropy)(farm_context* context, const farm_cross_entropy_args* args);
    int (*sum_of_squares)(farm_context* context, const float* data, int64_t count, double* sum);
    int (*adamw)(farm_context* context, const farm_adamw_args* args);

    int (*gae)(farm_context* context, const float* rewards, const float* values, const int32_t* starts, int rows,
               float gamma, float lambda, float* advantages, float* returns);
    int (*whiten)(farm_context* context, const float* input, int64_t n, int shift_mean, float* output);
    int (*token_kl)(farm_context* context, const float* logprobs, const float* reference_logprobs, int64_t n,
                    int estimator, float* kl);
    int (*linear_policy)(farm_context* context, const farm_policy_args* args);
    int (*value_loss)(farm_context* context, const float* values, const float* old_values, const float* returns,
                      int64_t n, float clip, float scale, float* losses, float* clipped, float* gradients);
    int (*dpo_loss)(farm_context* context, const farm_dpo_args* args);
    int (*pairwise_loss)(farm_context* context, const float* rewards, int rewards_stride, const int32_t* choices,
                         int pairs, float scale, float* losses, float* gradients, int gradients_stride);
    int (*quark_loss)(farm_context* context, const farm_quark_args* args);
};

extern const Kernels kPortable;
extern const Kernels kAvx2;
extern const Kernels kAvx512;
extern const Kernels kAvx512Vnni;
extern const Kernels kAvx512Bf16;

}  // namespace farm

struct farm_context {
    explicit farm_context(int threads) : pool(threads) {}
    farm::ThreadPool pool;
    const farm::Kernels* kernels = nullptr;
    farm::Scratch shared;   // packed activations, attention partials
    farm::Scratch threads;  // one slice per thread
    farm::Scratch logits;   // a block of rows of the output layer
};
