// One kernel per group of instructions; the tests compare with the host.
#include "device.cuh"

extern "C" __global__ void saxpy(const float* __restrict__ x, float* y, float a, u32 n) {
    const u32 i = cta() * ntid() + tid();
    if (i < n) {
        y[i] = a * x[i] + y[i];
    }
}

/// Lanes part and meet again: a loop of a different length in each.
extern "C" __global__ void collatz(const u32* __restrict__ start, u32* steps, u32 n) {
    const u32 i = cta() * ntid() + tid();
    if (i >= n) {
        return;
    }
    u32 v = start[i], count = 0;
    while (v != 1) {
        v = v % 2 == 0 ? v / 2 : 3 * v + 1;
        count++;
    }
    steps[i] = count;
}

extern "C" __global__ void __launch_bounds__(128) block_sum(const float* __restrict__ x, float* out, u32 n) {
    __shared__ float partial[4];
    float sum = 0;
    for (u32 i = tid(); i < n; i += 128) {
        sum += x[cta() * n + i];
    }
    for (u32 d = 16; d > 0; d /= 2) {
        sum += __nvvm_shfl_sync_bfly_f32(~0u, sum, d, 31);
    }
    if (tid() % 32 == 0) {
        partial[tid() / 32] = sum;
    }
    __syncthreads();
    if (tid() == 0) {
        out[cta()] = partial[0] + partial[1] + partial[2] + partial[3];
    }
}

/// The fragments of A[16][16], one warp.
static __device__ __attribute__((always_inline)) void load_fragments(u32 (&fa)[4], const u16 (&sa)[16][24]) {
    const u32 t = tid();
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3},[%4];"
                 : "=r"(fa[0]), "=r"(fa[1]), "=r"(fa[2]), "=r"(fa[3])
                 : "r"(shared_address(&sa[t % 16][8 * (t / 16)]))
                 : "memory");
}

/// C[16][8] of the fragments of A and B.
static __device__ __attribute__((always_inline)) void multiply_fragments(const u32 (&fa)[4], const u32 (&fb)[2],
                                                                         float* c) {
    float d[4] = {0, 0, 0, 0};
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(fa[0]), "r"(fa[1]), "r"(fa[2]), "r"(fa[3]), "r"(fb[0]), "r"(fb[1]));
    const u32 g = tid() / 4, q = tid() % 4;
    c[8 * g + 2 * q] = d[0];
    c[8 * g + 2 * q + 1] = d[1];
    c[8 * (g + 8) + 2 * q] = d[2];
    c[8 * (g + 8) + 2 * q + 1] = d[3];
}

/// C[16][8] = A[16][16] B[8][16]^T, one warp, through cp.async, ldmatrix and mma.
extern "C" __global__ void __launch_bounds__(32)
    mma_tile(const u16* __restrict__ a, const u16* __restrict__ b, float* c) {
    __shared__ __attribute__((aligned(16))) u16 sa[16][24], sb[8][24];
    const u32 t = tid();
    copy16(&sa[t / 2][8 * (t % 2)], a + 8 * t);
    if (t < 16) {
        copy16(&sb[t / 2][8 * (t % 2)], b + 8 * t);
    }
    commit();
    wait<0>();
    __syncthreads();
    u32 fa[4], fb[2];
    load_fragments(fa, sa);
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1},[%2];"
                 : "=r"(fb[0]), "=r"(fb[1])
                 : "r"(shared_address(&sb[t % 8][8 * (t / 8 % 2)]))
                 : "memory");
    multiply_fragments(fa, fb, c);
}

/// As mma_tile with B stored [16][8], read through ldmatrix.trans.
extern "C" __global__ void __launch_bounds__(32)
    mma_transposed(const u16* __restrict__ a, const u16* __restrict__ b, float* c) {
    __shared__ __attribute__((aligned(16))) u16 sa[16][24], sb[16][8];
    const u32 t = tid();
    for (u32 k = 0; k < 8; k++) {
        sa[t / 2][8 * (t % 2) + k] = a[8 * t + k];
    }
    for (u32 k = 0; k < 4; k++) {
        sb[t / 2][4 * (t % 2) + k] = b[4 * t + k];
    }
    __syncthreads();
    u32 fa[4], fb[2];
    load_fragments(fa, sa);
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1},[%2];"
                 : "=r"(fb[0]), "=r"(fb[1])
                 : "r"(shared_address(&sb[t % 16][0]))
                 : "memory");
    multiply_fragments(fa, fb, c);
}

/// y[k * n + i] = f_k(x[i]).
extern "C" __global__ void functions(const float* __restrict__ x, float* y, u32 n) {
    const u32 i = cta() * ntid() + tid();
    if (i >= n) {
        return;
    }
    const float v = x[i];
    float t;
    asm("tanh.approx.f32 %0, %1;" : "=f"(t) : "f"(v));
    y[0 * n + i] = __nvvm_ex2_approx_ftz_f(v);
    y[1 * n + i] = __nvvm_lg2_approx_ftz_f(__builtin_fabsf(v));
    y[2 * n + i] = __nvvm_rsqrt_approx_ftz_f(__builtin_fabsf(v));
    y[3 * n + i] = __nvvm_rcp_approx_ftz_f(v);
    y[4 * n + i] = __nvvm_sin_approx_ftz_f(v);
    y[5 * n + i] = __nvvm_cos_approx_ftz_f(v);
    y[6 * n + i] = t;
    y[7 * n + i] = 1.5f / v;
    y[8 * n + i] = __builtin_sqrtf(__builtin_fabsf(v));
    y[9 * n + i] = __builtin_floorf(v);
    y[10 * n + i] = __builtin_rintf(v);
    y[11 * n + i] = __builtin_fmaf(v, v, 0.25f);
    y[12 * n + i] = (float)(int)v;
    y[13 * n + i] = (float)((double)v * 3.0 + 1e-9);
    y[14 * n + i] = __nvvm_fmax_f(v, 0.5f);
    u32 bits;
    asm("{ .reg .b16 h; cvt.rn.bf16.f32 h, %1; mov.b32 %0, {h, h}; }" : "=r"(bits) : "f"(v));
    y[15 * n + i] = __builtin_bit_cast(float, bits << 16);
}

/// y[k * n + i] = g_k(x[i], x[i + 1]).
extern "C" __global__ void integers(const u32* __restrict__ x, u32* y, u32 n) {
    const u32 i = cta() * ntid() + tid();
    if (i >= n) {
        return;
    }
    const u32 a = x[i], b = x[i + 1];
    u32 r;
    y[0 * n + i] = __builtin_popcount(a);
    y[1 * n + i] = a == 0 ? 32 : __builtin_clz(a);
    asm("prmt.b32 %0, %1, %2, 0x9153;" : "=r"(r) : "r"(a), "r"(b));
    y[2 * n + i] = r;
    asm("lop3.b32 %0, %1, %2, 305419896, 0xE8;" : "=r"(r) : "r"(a), "r"(b));
    y[3 * n + i] = r;
    asm("shf.l.wrap.b32 %0, %1, %2, 7;" : "=r"(r) : "r"(a), "r"(b));
    y[4 * n + i] = r;
    asm("bfe.u32 %0, %1, 5, 11;" : "=r"(r) : "r"(a));
    y[5 * n + i] = r;
    asm("bfe.s32 %0, %1, 5, 11;" : "=r"(r) : "r"(a));
    y[6 * n + i] = r;
    asm("bfi.b32 %0, %1, %2, 9, 6;" : "=r"(r) : "r"(a), "r"(b));
    y[7 * n + i] = r;
    y[8 * n + i] = (u32)(((u64)a * b) >> 32);
    y[9 * n + i] = b == 0 ? 0 : a / b;
    y[10 * n + i] = b == 0 ? 0 : (u32)((int)a % ((int)(b | 1)));
    y[11 * n + i] = a >> (b & 31);
    y[12 * n + i] = (u32)((int)a >> (b & 31));
    y[13 * n + i] = (u32)((u64)a * 0x100000001ull >> (b & 63));
    y[14 * n + i] = a < b ? a : b;
    y[15 * n + i] = (u32)(u8)a + (u32)(int)(signed char)b + (u32)(u16)(a >> 3);
}

extern "C" __global__ void warp_operations(u32* out) {
    const u32 t = tid(), v = t * t + 3;
    out[t] = __nvvm_vote_ballot_sync(~0u, t % 3 == 0);
    out[32 + t] = (u32)__nvvm_redux_sync_add((int)v, ~0);
    out[64 + t] = (u32)__nvvm_shfl_sync_up_i32(~0u, (int)v, 3, 0);
    out[96 + t] = (u32)__nvvm_shfl_sync_down_i32(~0u, (int)v, 5, 31);
    out[128 + t] = (u32)__nvvm_shfl_sync_idx_i32(~0u, (int)v, 7, 31);
    out[160 + t] = __nvvm_vote_any_sync(~0u, t == 9) + 2u * __nvvm_vote_all_sync(~0u, t < 32);
}

__constant__ int table[5] = {10, 20, 30, 40, 50};
static __device__ const float fractions[4] = {0.5f, 0.25f, 0.125f, 1.0f / 3.0f};

extern "C" __global__ void tables(int* ints, float* floats) {
    ints[tid()] = table[tid() % 5];
    floats[tid()] = fractions[tid() % 4];
}

extern "C" __global__ void atomics(u32* counts, float* sum, const u32* __restrict__ keys, u32 n) {
    const u32 i = cta() * ntid() + tid();
    if (i < n) {
        __atomic_fetch_add(counts + keys[i] % 8, 1u, __ATOMIC_RELAXED);
        __nvvm_atom_add_gen_f(sum, 0.5f);
    }
    asm volatile("red.global.max.u32 [%0], %1;" ::"l"(counts + 8), "r"(i) : "memory");
    __nvvm_membar_gl();
}

// Blocks take numbers; the first one writes, counts itself as done, and all wait for it. With `fail` it stops instead.
extern "C" __global__ void handover(u32* words, u32* out, int fail) {
    __shared__ u32 number;
    if (tid() == 0) {
        number = __atomic_fetch_add(words, 1u, __ATOMIC_RELAXED);
    }
    __syncthreads();
    if (number == 0) {
        if (fail) {
            __builtin_trap();
        }
        words[4 + tid()] = 3 * tid();
        __syncthreads();
        if (tid() == 0) {
            __nvvm_membar_gl();
            __atomic_fetch_add(words + 1, 1u, __ATOMIC_RELAXED);
        }
    }
    if (tid() == 0) {
        while (*(volatile u32*)(words + 1) == 0) {
        }
        __nvvm_membar_gl();
    }
    __syncthreads();
    out[cta() * ntid() + tid()] = words[4 + tid()] + 1;
}

struct Pair {
    float scale[3];
    u32 offset;
};

/// A structure by value, indexed at run time; grid and block of three dimensions.
extern "C" __global__ void structure(float* out, Pair p) {
    const u32 x = tid(), y = __nvvm_read_ptx_sreg_tid_y(), z = __nvvm_read_ptx_sreg_ctaid_z();
    out[p.offset + x + 4 * (y + 2 * z)] = p.scale[(x + y) % 3] + 100.0f * (float)z;
}

/// 16-byte read-only loads and stores.
extern "C" __global__ void wide(const u32x4* __restrict__ in, u32x4* out) {
    const u32 i = cta() * ntid() + tid();
    u32x4 v = in[i];
    out[i] = v.yzwx + 1u;
}

extern __shared__ __attribute__((aligned(128))) u8 arena[];

/// Dynamic shared memory behind a static array; reverses a block.
extern "C" __global__ void reverse(const u32* __restrict__ in, u32* out) {
    static __shared__ u32 last;
    u32* data = reinterpret_cast<u32*>(arena);
    data[tid()] = in[cta() * ntid() + tid()];
    if (tid() == 0) {
        last = ntid() - 1;
    }
    __syncthreads();
    out[cta() * ntid() + tid()] = data[last - tid()];
}
