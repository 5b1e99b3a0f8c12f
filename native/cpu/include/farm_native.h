// The CPU kernels of Farm behind a flat C ABI.
//
// Conventions. Matrices are row-major; a stride counts elements from row to row. Activations are float32. A call that
// may fail returns 0 for success and a FARM_E_* code otherwise; shapes are checked by the caller, who owns every buffer
// except the context's scratch. One context serves one caller at a time. A row's result depends neither on the other
// rows of the call nor on the number of threads: every sum over input features is one chain in ascending order.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FARM_EXPORT __attribute__((visibility("default")))

enum { FARM_OK = 0, FARM_E_MEMORY = 1, FARM_E_ARGUMENT = 2, FARM_E_UNSUPPORTED = 3 };
enum { FARM_F32 = 0, FARM_BF16 = 1, FARM_F16 = 2, FARM_I8 = 3 };
enum {
    FARM_LEVEL_PORTABLE = 0,
    FARM_LEVEL_AVX2 = 1,
    FARM_LEVEL_AVX512 = 2,
    FARM_LEVEL_AVX512_VNNI = 3,
    FARM_LEVEL_AVX512_BF16 = 4
};

// Input features that share one scale in an int8 weight; tokens of one key/value page.
enum { FARM_GROUP = 64, FARM_PAGE = 128 };

// Grows with every change of a declaration in this file; the caller compares it before anything else.
enum { FARM_ABI_VERSION = 4 };
FARM_EXPORT int farm_abi_version(void);

typedef struct farm_context farm_context;

// Highest level this CPU and this build have.
FARM_EXPORT int farm_best_level(void);
// A context with a thread pool of `threads` (the caller is one of them). level -1 takes the best.
FARM_EXPORT int farm_create(int threads, int level, farm_context** out);
FARM_EXPORT void farm_destroy(farm_context* context);

// Memory from the system, zeroed, aligned to 64, touched only when written. NULL when there is none.
FARM_EXPORT void* farm_allocate(int64_t bytes);
FARM_EXPORT void farm_free(void* memory, int64_t bytes);

// --- weights ---------------------------------------------------------------------------------------------------------

// A packed weight. Output features lie in panels of 16. f32: [panel][in][16]. bf16: [panel][in/2][16][2]. int8 (stored
// as value + 128): [panel][in/4][16][4], in padded to FARM_GROUP, with scales [panel][in/FARM_GROUP][16].
typedef struct farm_weight {
    void* data;
    float* scales;
    int32_t dtype;
    int32_t in_features;
    int32_t out_features;  // of the product: for gate_up the width of one part
    int32_t panels;
    int32_t gate_up;  // panels alternate gate, up
} farm_weight;

FARM_EXPORT int64_t farm_weight_data_bytes(int dtype, int in_features, int panels);
FARM_EXPORT int64_t farm_weight_scale_bytes(int dtype, int in_features, int panels);
// Packs `rows` rows of `source` (row-major, dtype f32, bf16 or f16) as output features first_row.. of the weight; for
// gate_up `part` is 0 for gate and 1 for up. Returns -1, or the first row (of this call) that holds a value not finite.
FARM_EXPORT int32_t farm_weight_pack(farm_context* context, const farm_weight* weight, int part, int first_row,
                                     int rows, const void* source, int source_dtype);

// --- operations ------------------------------------------------------------------------------------------------------

typedef struct farm_linear_args {
    const float* input;
    const float* norm_weight;  // NULL: no RMSNorm
    const float* bias;         // NULL: none
    float* output;
    int32_t rows;
    int32_t input_stride;
    int32_t output_stride;
    int32_t accumulate;
    // bf16 weights only: rounds the activations to bf16 as well and multiplies pairs by VDPBF16PS, twice the rate of
    // float32 multiply-adds. FARM_E_UNSUPPORTED below FARM_LEVEL_AVX512_BF16.
    int32_t bf16_activations;
    float norm_epsilon;
} farm_linear_args;

FARM_EXPORT int farm_linear(farm_context* context, const farm_weight* weight, const farm_linear_args* args);
FARM_EXPORT int farm_rms_norm(farm_context* context, const float* input, int input_stride, const float* weight,
                              float epsilon, float* output, int output_stride, int rows, int columns);
FARM_EXPORT int farm_embedding(farm_context* context, const int32_t* ids, int rows, const void* table, int table_dtype,
                               int table_stride, int columns, float* output, int output_stride);
FARM_EXPORT int farm_embedding_packed(farm_context* context, const int32_t* ids, int rows, const farm_weight* table,
                                      float* output, int output_stride);
// Elements of element_bytes each, strides in elements.
FARM_EXPORT int farm_gather_rows(farm_context* context, const void* input, int input_stride, const int32_t* rows,
                                 int count, int columns, int element_bytes, void* output, int output_stride);
FARM_EXPORT int farm_copy(farm_context* context, const void* input, int input_dtype, int input_stride, void* output,
                          int output_dtype, int output_stride, int rows, int columns);

// A pool of key/value pages. Page p, layer l, head h starts at data + ((p * layers + l) * heads + h) *
// farm_kv_head_bytes: first the keys as panels of 16 tokens ([FARM_PAGE/16][head_dim][16], bf16
// [FARM_PAGE/16][head_dim/2][16][2]), then the values as panels of 16 columns
// ([ceil(head_dim/16)][FARM_PAGE][16], bf16 [..][FARM_PAGE/2][16][2]).
typedef struct farm_kv_pool {
    void* data;
    int32_t dtype;
    int32_t layers;
    int32_t heads;
    int32_t head_dim;
    int32_t pages;
} farm_kv_pool;

FARM_EXPORT int64_t farm_kv_head_bytes(int dtype, int head_dim);

// pool may be NULL: only rotates.
FARM_EXPORT int farm_rope_append(farm_context* context, float* qkv, int qkv_stride, int rows, int query_heads,
                                 int kv_heads, int head_dim, const int32_t* positions, const float* cosine,
                                 const float* sine, const farm_kv_pool* pool, int layer, const int32_t* slots);

// The arrays of AttentionPlan.
typedef struct farm_attention_args {
    const float* queries;
    float* output;
    const farm_kv_pool* pool;
    const int32_t* sequence_start;
    const int32_t* prefix_length;
    const int32_t* prefix_page_start;
    const int32_t* prefix_pages;
    const int32_t* query_start;
    const int32_t* suffix_length;
    const int32_t* suffix_page_start;
    const int32_t* suffix_pages;
    int32_t groups;
    int32_t sequences;
    int32_t query_stride;
    int32_t output_stride;
    int32_t query_heads;
    int32_t layer;
    float scale;
} farm_attention_args;

FARM_EXPORT int farm_attention(farm_context* context, const farm_attention_args* args);

typedef struct farm_sample_args {
    const float* logits;
    const int32_t* keys;  // [rows][3]: prompt, sample, position
    int32_t* tokens;
    float* logprobs;
    int32_t* seen;  // [rows][(vocabulary + 31) / 32] or NULL
    uint64_t seed;
    int32_t rows;
    int32_t vocabulary;
    int32_t logits_stride;
    int32_t top_k;
    float temperature;
    float top_p;
    float min_p;
    float repetition_penalty;
} farm_sample_args;

FARM_EXPORT int farm_sample(farm_context* context, const farm_sample_args* args);
// entropy may be NULL.
FARM_EXPORT int farm_logprob_gather(farm_context* context, const float* logits, int logits_stride, int rows,
                                    int vocabulary, const int32_t* ids, float temperature, float* logprobs,
                                    float* entropy);

// --- what this machine can do, on the context's threads
// ----------------------------------------------------------------

enum {
    FARM_MEASURE_READ_BYTES = 0,
    FARM_MEASURE_FMA_FLOPS = 1,
    FARM_MEASURE_INT8_OPS = 2,
    FARM_MEASURE_BF16_FLOPS = 3
};
// Bytes, float32 operations, int8 operations or bf16 dot-product operations (a multiply-add is two) per second; best of
// several short runs; 0 for what the level lacks.
FARM_EXPORT double farm_measure(farm_context* context, int what);

#ifdef __cplusplus
}
#endif
