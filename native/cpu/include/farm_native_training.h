// The operations of training. The conventions are those of farm_native.h; the mathematics stands in Farm.Core's
// ITrainingBackend.
#pragma once

#include "farm_native.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct farm_matrix {
    const void* data;
    int32_t dtype;   // FARM_F32; FARM_BF16 only as the right operand
    int32_t stride;  // elements from stored row to stored row
    int32_t transposed;
} farm_matrix;

// c [m, n] = a [m, k] b [k, n] (+ c).
FARM_EXPORT int farm_matmul(farm_context* context, const farm_matrix* a, const farm_matrix* b, float* c, int c_stride,
                            int m, int n, int k, int accumulate);
FARM_EXPORT int farm_add_bias(farm_context* context, const float* bias, float* output, int stride, int rows,
                              int columns);
FARM_EXPORT int farm_sum_rows(farm_context* context, const float* input, int stride, int rows, int columns, float* sum);
FARM_EXPORT int farm_scale(farm_context* context, const float* source, int source_stride, float scale,
                           float* destination, int destination_stride, int rows, int columns, int accumulate);
// weight_gradient may be NULL.
FARM_EXPORT int farm_rms_norm_backward(farm_context* context, const float* input, int input_stride, const float* weight,
                                       float epsilon, const float* output_gradient, int output_gradient_stride,
                                       float* input_gradient, int input_gradient_stride, float* weight_gradient,
                                       int rows, int columns);
FARM_EXPORT int farm_rope_backward(farm_context* context, float* gradient, int stride, int rows, int heads,
                                   int head_dim, const int32_t* positions, const float* cosine, const float* sine);

typedef struct farm_attention_train_args {
    const float* qkv;
    float* output;                 // read by the backward
    float* log_sum_exp;            // [rows, query_heads], contiguous; read by the backward
    const float* output_gradient;  // backward only
    float* qkv_gradient;           // backward only
    const int32_t* starts;
    int32_t sequences;
    int32_t query_heads;
    int32_t kv_heads;
    int32_t head_dim;
    int32_t qkv_stride;
    int32_t output_stride;
    int32_t output_gradient_stride;
    int32_t qkv_gradient_stride;
    float scale;
} farm_attention_train_args;

FARM_EXPORT int farm_attention_train(farm_context* context, const farm_attention_train_args* args);
FARM_EXPORT int farm_attention_backward(farm_context* context, const farm_attention_train_args* args);
FARM_EXPORT int farm_swiglu(farm_context* context, const float* gate_up, int gate_up_stride, float* output,
                            int output_stride, int rows, int columns);
FARM_EXPORT int farm_swiglu_backward(farm_context* context, const float* gate_up, int gate_up_stride,
                                     const float* output_gradient, int output_gradient_stride, float* gate_up_gradient,
                                     int gate_up_gradient_stride, int rows, int columns);
FARM_EXPORT int farm_embedding_backward(farm_context* context, const int32_t* ids, const float* output_gradient,
                                        int output_gradient_stride, float* table_gradient, int table_stride, int rows,
                                        int columns);

typedef struct farm_cross_entropy_args {
    const float* hidden;
    farm_matrix weight;  // [vocabulary, columns], not transposed
    const int32_t* labels;
    const float* scales;
    float* losses;
    float* hidden_gradient;  // NULL: none
    float* weight_gradient;  // NULL: none
    int32_t rows;
    int32_t columns;
    int32_t vocabulary;
    int32_t hidden_stride;
    int32_t hidden_gradient_stride;
    int32_t weight_gradient_stride;
} farm_cross_entropy_args;

FARM_EXPORT int farm_linear_cross_entropy(farm_context* context, const farm_cross_entropy_args* args);
FARM_EXPORT int farm_sum_of_squares(farm_context* context, const float* data, int64_t count, double* sum);

typedef struct farm_adamw_args {
    float* parameter;
    const float* gradient;
    float* first_moment;
    float* second_moment;
    int64_t count;
    int32_t step;
    float learning_rate;
    float beta1;
    float beta2;
    float epsilon;
    float weight_decay;
    float gradient_scale;
} farm_adamw_args;

FARM_EXPORT int farm_adamw(farm_context* context, const farm_adamw_args* args);

#ifdef __cplusplus
}
#endif
