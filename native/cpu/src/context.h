// What a call needs besides its arguments: threads, scratch memory and the kernels of the chosen SIMD level.
#pragma once

#include "farm_native.h"
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
};
