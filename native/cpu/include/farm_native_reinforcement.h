// The operations of learning from feedback. The mathematics stands in Farm.Core's IReinforcementBackend.
#pragma once

#include "farm_native_training.h"

#ifdef __cplusplus
extern "C" {
#endif

// Vectors of n elements; row s owns elements starts[s] .. starts[s + 1].
FARM_EXPORT int farm_gae(farm_context* context, const float* rewards, const float* values, const int32_t* starts,
                         int rows, float gamma, float lambda, float* advantages, float* returns);
FARM_EXPORT int farm_whiten(farm_context* context, const float* input, int64_t n, int shift_mean, float* output);

enum { FARM_KL_K1 = 0, FARM_KL_CLAMPED = 1, FARM_KL_K3 = 2 };

FARM_EXPORT int farm_token_kl(farm_context* context, const float* logprobs, const float* reference_logprobs, int64_t n,
                              int estimator, float* kl);

typedef struct farm_policy_args {
    const float* hidden;
    farm_matrix weight;  // [vocabulary, columns], not transposed
    const int32_t* ids;
    float* logprobs;
    float* entropies;           // NULL: none
    const float* gradients;     // d(objective)/d(logprobs); NULL: none, or the PPO loss's own
    const float* old_logprobs;  // PPO only, else NULL
    const float* advantages;    // PPO only
    float* losses;              // PPO only
    float* clipped;             // PPO only
    float* hidden_gradient;     // NULL: none
    float* weight_gradient;     // NULL: none
    int32_t rows;
    int32_t columns;
    int32_t vocabulary;
    int32_t hidden_stride;
    int32_t hidden_gradient_stride;
    int32_t weight_gradient_stride;
    float temperature;
    float clip;
    float scale;
} farm_policy_args;

FARM_EXPORT int farm_linear_policy(farm_context* context, const farm_policy_args* args);
FARM_EXPORT int farm_value_loss(farm_context* context, const float* values, const float* old_values,
                                const float* returns, int64_t n, float clip, float scale, float* losses, float* clipped,
                                float* gradients);

enum { FARM_DPO_SIGMOID = 0, FARM_DPO_IPO = 1 };

typedef struct farm_dpo_args {
    const float* policy_chosen;
    const float* policy_rejected;
    const float* reference_chosen;
    const float* reference_rejected;
    float* losses;
    float* gradients;
    int64_t n;
    int32_t kind;
    float beta;
    float label_smoothing;
    float scale;
} farm_dpo_args;

FARM_EXPORT int farm_dpo_loss(farm_context* context, const farm_dpo_args* args);
FARM_EXPORT int farm_pairwise_loss(farm_context* context, const float* rewards, int rewards_stride,
                                   const int32_t* choices, int pairs, float scale, float* losses, float* gradients,
                                   int gradients_stride);

typedef struct farm_quark_args {
    const float* logits;
    const float* reference_logits;
    const int32_t* ids;
    float* losses;
    float* logprobs;
    float* kl;
    float* entropies;
    float* gradient;  // may be logits; NULL: none
    int32_t rows;
    int32_t columns;
    int32_t logits_stride;
    int32_t reference_stride;
    int32_t gradient_stride;
    int32_t vocabulary;
    float temperature;
    float kl_coefficient;
    float entropy_coefficient;
    float scale;
} farm_quark_args;

FARM_EXPORT int farm_quark_loss(farm_context* context, const farm_quark_args* args);

#ifdef __cplusplus
}
#endif
