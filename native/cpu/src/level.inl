// The kernels of one SIMD level. The including file defines
//   FARM_LEVEL    a FARM_LEVEL_* number,
//   FARM_NS       the namespace, so that no symbol compiled for one level is ever linked into another,
//   FARM_KERNELS  the name of the exported table.
#include <time.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "context.h"
#include "floats.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace farm {
namespace FARM_NS {
// Each file builds on the ones before it.
// clang-format off
#include "simd.inl"
#include "gemm.inl"
#include "gemm_int8.inl"
#include "activations.inl"
#include "linear.inl"
#include "norm.inl"
#include "rope.inl"
#include "attention.inl"
#include "sampling.inl"
#include "measure.inl"
#include "transpose.inl"
#include "matmul.inl"
#include "train_attention.inl"
#include "train_ops.inl"
#include "cross_entropy.inl"
#include "reinforcement.inl"
// clang-format on
}  // namespace FARM_NS

const Kernels FARM_KERNELS = {FARM_NS::linear,
                              FARM_NS::rms_norm,
                              FARM_NS::rope_append,
                              FARM_NS::attention,
                              FARM_NS::sample,
                              FARM_NS::logprob_gather,
                              FARM_NS::measure,
                              FARM_NS::matmul,
                              FARM_NS::add_bias,
                              FARM_NS::sum_rows,
                              FARM_NS::scale,
                              FARM_NS::rms_norm_backward,
                              FARM_NS::rope_backward,
                              FARM_NS::attention_train,
                              FARM_NS::attention_backward,
                              FARM_NS::swiglu,
                              FARM_NS::swiglu_backward,
                              FARM_NS::embedding_backward,
                              FARM_NS::linear_cross_entropy,
                              FARM_NS::sum_of_squares,
                              FARM_NS::adamw,
                              FARM_NS::gae,
                              FARM_NS::whiten,
                              FARM_NS::token_kl,
                              FARM_NS::linear_policy,
                              FARM_NS::value_loss,
                              FARM_NS::dpo_loss,
                              FARM_NS::pairwise_loss,
                              FARM_NS::quark_loss};
}  // namespace farm
