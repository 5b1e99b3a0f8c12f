// The device, spelled once: no kernel contains a builtin or a line of PTX of its own.
//
// Compiled by clang alone, without a CUDA toolkit:
//   clang++-19 -x cuda --cuda-device-only --cuda-gpu-arch=sm_80 -Xclang -target-feature -Xclang +ptx70
//     -nocudainc -nocudalib -std=c++20 -O3 -mllvm -disable-block-placement -gline-directives-only -Wall -Werror
//     -S kernel.cu -o kernel.ptx
// Without block placement a block stands after those that lead to it, loops aside: the simulator runs the lanes that
// stand earliest, and so brings lanes together where their ways meet. ptxas orders blocks anew.
// Fragment layouts and instruction semantics: PTX ISA 7.0, sections 9.7.13 (mma, ldmatrix) and 9.7.8 (cp.async).
#pragma once

#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))

#define FARM_DEVICE static __device__ __attribute__((always_inline)) inline
#define FARM_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)
#define FARM_UNROLL _Pragma("unroll")
#define FARM_NO_UNROLL _Pragma("unroll 1")

using s8 = signed char;
using u8 = unsigned char;
using u16 = unsigned short;
using s32 = int;
using u32 = unsigned int;
using s64 = long long;
using u64 = unsigned long long;

// Vectors of up to 16 bytes: one load or store each, aligned to their size.
using float2 = float __attribute__((ext_vector_type(2)));
using float4 = float __attribute__((ext_vector_type(4)));
using uint2 = u32 __attribute__((ext_vector_type(2)));
using uint4 = u32 __attribute__((ext_vector_type(4)));

constexpr u32 kWarp = 32;
constexpr u32 kAllLanes = 0xFFFFFFFFu;
constexpr float kLog2E = 1.4426950408889634f;
constexpr float kLn2 = 0.6931471805599453f;
// "Nothing seen yet" of a running maximum: finite, so that differences of two of them are defined.
constexpr float kNoMaximum = -1e30f;

// ---- who am I ------------------------------------------------------------------------------------------------------

FARM_DEVICE int thread_x() {
    return static_cast<int>(__nvvm_read_ptx_sreg_tid_x());
}
FARM_DEVICE int block_x() {
    return static_cast<int>(__nvvm_read_ptx_sreg_ctaid_x());
}
FARM_DEVICE int block_y() {
    return static_cast<int>(__nvvm_read_ptx_sreg_ctaid_y());
}
FARM_DEVICE int block_z() {
    return static_cast<int>(__nvvm_read_ptx_sreg_ctaid_z());
}
FARM_DEVICE int threads_x() {
    return static_cast<int>(__nvvm_read_ptx_sreg_ntid_x());
}
FARM_DEVICE int blocks_x() {
    return static_cast<int>(__nvvm_read_ptx_sreg_nctaid_x());
}
FARM_DEVICE int blocks_y() {
    return static_cast<int>(__nvvm_read_ptx_sreg_nctaid_y());
}
FARM_DEVICE int lane_id() {
    return thread_x() & 31;
}
FARM_DEVICE int warp_id() {
    return thread_x() >> 5;
}

// ---- barriers ------------------------------------------------------------------------------------------------------

FARM_DEVICE void block_barrier() {
    __syncthreads();
}
// Of some of the block's warps, `threads` in all; barriers of different warps at the same time have different ids, 1 to
// 15.
FARM_DEVICE void barrier_of(int id, int threads) {
    __nvvm_barrier_sync_cnt(static_cast<u32>(id), static_cast<u32>(threads));
}
// Orders the memory accesses of the warp's lanes as well.
FARM_DEVICE void warp_barrier() {
    __nvvm_bar_warp_sync(kAllLanes);
}

// ---- bits ----------------------------------------------------------------------------------------------------------

FARM_DEVICE u32 bits_of(float x) {
    return __builtin_bit_cast(u32, x);
}
FARM_DEVICE float float_of(u32 x) {
    return __builtin_bit_cast(float, x);
}
FARM_DEVICE u64 bits_of(double x) {
    return __builtin_bit_cast(u64, x);
}
FARM_DEVICE double double_of(u64 x) {
    return __builtin_bit_cast(double, x);
}
template <class T>
FARM_DEVICE T min_of(T a, T b) {
    return b < a ? b : a;
}
template <class T>
FARM_DEVICE T max_of(T a, T b) {
    return a < b ? b : a;
}
FARM_DEVICE float max_of(float a, float b) {
    return __nvvm_fmax_f(a, b);
}
FARM_DEVICE float min_of(float a, float b) {
    return __nvvm_fmin_f(a, b);
}
FARM_DEVICE constexpr int ceil_div(int a, int b) {
    return (a + b - 1) / b;
}

// ---- shuffles and votes --------------------------------------------------------------------------------------------

FARM_DEVICE float shuffle_xor(float v, int mask) {
    return __nvvm_shfl_sync_bfly_f32(kAllLanes, v, mask, 31);
}
FARM_DEVICE int shuffle_xor(int v, int mask) {
    return __nvvm_shfl_sync_bfly_i32(kAllLanes, v, mask, 31);
}
FARM_DEVICE double shuffle_xor(double v, int mask) {
    u64 b = bits_of(v);
    u32 low = static_cast<u32>(__nvvm_shfl_sync_bfly_i32(kAllLanes, static_cast<int>(b), mask, 31));
    u32 high = static_cast<u32>(__nvvm_shfl_sync_bfly_i32(kAllLanes, static_cast<int>(b >> 32), mask, 31));
    return double_of((static_cast<u64>(high) << 32) | low);
}
FARM_DEVICE float shuffle(float v, int lane) {
    return __nvvm_shfl_sync_idx_f32(kAllLanes, v, lane, 31);
}
FARM_DEVICE int shuffle(int v, int lane) {
    return __nvvm_shfl_sync_idx_i32(kAllLanes, v, lane, 31);
}
FARM_DEVICE double shuffle(double v, int lane) {
    u64 b = bits_of(v);
    u32 low = static_cast<u32>(__nvvm_shfl_sync_idx_i32(kAllLanes, static_cast<int>(b), lane, 31));
    u32 high = static_cast<u32>(__nvvm_shfl_sync_idx_i32(kAllLanes, static_cast<int>(b >> 32), lane, 31));
    return double_of((static_cast<u64>(high) << 32) | low);
}
FARM_DEVICE u32 ballot(bool v) {
    return __nvvm_vote_ballot_sync(kAllLanes, v);
}
FARM_DEVICE bool any_lane(bool v) {
    return __nvvm_vote_any_sync(kAllLanes, v);
}
FARM_DEVICE bool all_lanes(bool v) {
    return __nvvm_vote_all_sync(kAllLanes, v);
}
// A value that every lane computes, whether its use is conditional or not: the compiler would otherwise move the work
// behind the condition, as a branch at which lanes part, or load only what of a vector is used.
FARM_DEVICE float computed(float v) {
    asm volatile("" : "+f"(v));
    return v;
}
FARM_DEVICE float4 computed(float4 v) {
    return {computed(v.x), computed(v.y), computed(v.z), computed(v.w)};
}
FARM_DEVICE int bits_set(u32 v) {
    return __builtin_popcount(v);
}

// ---- reductions in a fixed order: every lane gets the same bits ----------------------------------------------------

// Over groups of Width neighbouring lanes, a power of two; a butterfly from the widest distance down.
template <int Width = 32, class T>
FARM_DEVICE T warp_sum(T v) {
    FARM_UNROLL
    for (int d = Width / 2; d > 0; d /= 2) v += shuffle_xor(v, d);
    return v;
}
template <int Width = 32, class T>
FARM_DEVICE T warp_max(T v) {
    FARM_UNROLL
    for (int d = Width / 2; d > 0; d /= 2) v = max_of(v, shuffle_xor(v, d));
    return v;
}
template <int Width = 32, class T>
FARM_DEVICE T warp_min(T v) {
    FARM_UNROLL
    for (int d = Width / 2; d > 0; d /= 2) v = min_of(v, shuffle_xor(v, d));
    return v;
}

// Over a block of Threads (whole warps, at most 1024): warps first, then their results by the same butterfly in each
// warp. `scratch` holds one T per warp; it may be used again only after the next barrier.
template <int Threads, class T>
FARM_DEVICE T block_sum(T v, T* scratch) {
    v = warp_sum(v);
    if constexpr (Threads > 32) {
        if (lane_id() == 0) scratch[warp_id()] = v;
        block_barrier();
        // Loaded by every lane, so that no lane takes another way.
        T mine = scratch[lane_id() < Threads / 32 ? lane_id() : 0];
        v = lane_id() < Threads / 32 ? mine : T(0);
        v = warp_sum(v);
    }
    return v;
}
template <int Threads, class T>
FARM_DEVICE T block_max(T v, T* scratch) {
    v = warp_max(v);
    if constexpr (Threads > 32) {
        if (lane_id() == 0) scratch[warp_id()] = v;
        block_barrier();
        v = scratch[lane_id() < Threads / 32 ? lane_id() : 0];
        v = warp_max(v);
    }
    return v;
}
template <int Threads, class T>
FARM_DEVICE T block_min(T v, T* scratch) {
    v = warp_min(v);
    if constexpr (Threads > 32) {
        if (lane_id() == 0) scratch[warp_id()] = v;
        block_barrier();
        v = scratch[lane_id() < Threads / 32 ? lane_id() : 0];
        v = warp_min(v);
    }
    return v;
}

// ---- arithmetic ----------------------------------------------------------------------------------------------------

FARM_DEVICE float fma(float a, float b, float c) {
    return __builtin_fmaf(a, b, c);
}
FARM_DEVICE double fma(double a, double b, double c) {
    return __builtin_fma(a, b, c);
}
FARM_DEVICE float abs_of(float x) {
    return __builtin_fabsf(x);
}
// Correctly rounded.
FARM_DEVICE float square_root(float x) {
    return __builtin_sqrtf(x);
}
FARM_DEVICE double square_root(double x) {
    return __builtin_sqrt(x);
}
FARM_DEVICE float round_even(float x) {
    return __builtin_rintf(x);
}
// Approximate, a few units in the last place; subnormals count as 0.
FARM_DEVICE float fast_exp2(float x) {
    return __nvvm_ex2_approx_ftz_f(x);
}
FARM_DEVICE float fast_log2(float x) {
    return __nvvm_lg2_approx_ftz_f(x);
}
FARM_DEVICE float fast_rsqrt(float x) {
    return __nvvm_rsqrt_approx_ftz_f(x);
}
FARM_DEVICE float fast_reciprocal(float x) {
    return __nvvm_rcp_approx_ftz_f(x);
}

// e^x within about 1 unit in the last place, the very bits of native/cpu/src/simd.inl: range reduction x = n ln 2 + r
// and a polynomial in r. Below -87.33 it is 0, above 88.72 infinity. No product
// here is followed by a sum, so that contraction changes no bit.
FARM_DEVICE float exp_exact(float x) {
    float clamped = min_of(max_of(x, -87.33f), 100.0f);
    float n = round_even(clamped * 1.44269504088896341f);
    float r = fma(n, -0.693359375f, clamped);
    r = fma(n, 2.12194440e-4f, r);
    float p = 1.9841270e-4f;
    p = fma(p, r, 1.3888889e-3f);
    p = fma(p, r, 8.3333333e-3f);
    p = fma(p, r, 4.1666667e-2f);
    p = fma(p, r, 1.6666667e-1f);
    p = fma(p, r, 0.5f);
    p = fma(p, r, 1.0f);
    p = fma(p, r, 1.0f);
    int whole = static_cast<int>(n), half = whole >> 1;
    p *= float_of(static_cast<u32>(half + 127) << 23);
    p *= float_of(static_cast<u32>(whole - half + 127) << 23);
    return x >= -87.33f ? p : 0.0f;
}

// x / (1 + e^-x): the correctly rounded quotient of an exact-to-the-last-place exponential.
FARM_DEVICE float silu(float x) {
    return x / (1.0f + exp_exact(-x));
}

// ln x of a positive normal float64, relative error below 1e-13, without a division: m = 2^-e x in [1, 2), a float32
// estimate y of ln m, and one third-order step with d = m e^-y - 1.
FARM_DEVICE double log_f64(double x) {
    u64 b = bits_of(x);
    int e = static_cast<int>(b >> 52) - 1023;
    double m = double_of((b & 0x000FFFFFFFFFFFFFull) | 0x3FF0000000000000ull);
    double y = static_cast<double>(fast_log2(static_cast<float>(m)) * kLn2);
    // e^-y by its series around 0 for |y| <= ln 2: the 20th term is below 1e-20.
    double s = 1.0;
    constexpr double kInverse[] = {1.0,      1.0 / 2,  1.0 / 3,  1.0 / 4,  1.0 / 5,  1.0 / 6,
                                   1.0 / 7,  1.0 / 8,  1.0 / 9,  1.0 / 10, 1.0 / 11, 1.0 / 12,
                                   1.0 / 13, 1.0 / 14, 1.0 / 15, 1.0 / 16, 1.0 / 17, 1.0 / 18};
    FARM_UNROLL
    for (int i = 17; i >= 0; i--) s = fma(-y * kInverse[i], s, 1.0);
    double d = fma(m, s, -1.0);
    y += d - 0.5 * d * d + d * d * d * (1.0 / 3);
    return fma(static_cast<double>(e), 0.6931471805599453094, y);
}

// ---- bfloat16 ------------------------------------------------------------------------------------------------------

FARM_DEVICE float bf16_low(u32 pair) {
    return float_of(pair << 16);
}
FARM_DEVICE float bf16_high(u32 pair) {
    return float_of(pair & 0xFFFF0000u);
}
FARM_DEVICE float bf16_to_float(u16 x) {
    return float_of(static_cast<u32>(x) << 16);
}
// Round to nearest even; `low` is the element of the lower address.
FARM_DEVICE u32 bf16_pair(float low, float high) {
    u32 d;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(d) : "f"(high), "f"(low));
    return d;
}
// Bit for bit Farm.Reference's rounding, NaNs kept.
FARM_DEVICE u16 bf16_round(float x) {
    u32 b = bits_of(x);
    if ((b & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<u16>((b >> 16) | 0x40u);
    return static_cast<u16>((b + 0x7FFFu + ((b >> 16) & 1u)) >> 16);
}

// A pair of floats as a sum of Terms pairs of bf16, largest first: three terms are the floats exactly (8 bits each),
// one is the rounding to bf16 (Henry, Tang and Heinecke, "Leveraging the bfloat16 Artificial Intelligence Datatype For
// Higher-Precision Computations", 2019).
template <int Terms>
FARM_DEVICE void bf16_split(float low, float high, u32 (&term)[Terms]) {
    FARM_UNROLL
    for (int i = 0; i < Terms; i++) {
        term[i] = bf16_pair(low, high);
        if (i + 1 < Terms) {
            low -= bf16_low(term[i]);
            high -= bf16_high(term[i]);
        }
    }
}

// ---- vector accesses -----------------------------------------------------------------------------------------------

// Several elements at once through a pointer to the first, which must be aligned to all of them. A cast in place of
// these keeps the alignment of the array that clang sees behind it, and the access falls apart into single elements.
FARM_DEVICE float2 load2(const float* p) {
    return *reinterpret_cast<const float2*>(p);
}
FARM_DEVICE float4 load4(const float* p) {
    return *reinterpret_cast<const float4*>(p);
}
FARM_DEVICE uint4 load4(const u32* p) {
    return *reinterpret_cast<const uint4*>(p);
}
FARM_DEVICE uint4 load_vector(const uint4* p) {
    return *p;
}
FARM_DEVICE void store2(float* p, float2 v) {
    *reinterpret_cast<float2*>(p) = v;
}
FARM_DEVICE void store4(float* p, float4 v) {
    *reinterpret_cast<float4*>(p) = v;
}
FARM_DEVICE void store4(u32* p, uint4 v) {
    *reinterpret_cast<uint4*>(p) = v;
}

// ---- global memory -------------------------------------------------------------------------------------------------

// 16 bytes that nothing writes during the kernel.
FARM_DEVICE uint4 load_readonly(const uint4* p) {
    return __nvvm_ldg_ui4(p);
}
FARM_DEVICE float4 load_readonly(const float4* p) {
    return __nvvm_ldg_f4(p);
}

// What blocks of one launch tell each other, in 32-bit words of global memory. atomic_add gives the value before; poll
// reads anew each time, and the simulator leaves it out of the traffic it counts. Neither orders other accesses:
// device_fence() does, of its own thread and of those that it met at a barrier.
FARM_DEVICE u32 atomic_add(u32* p, u32 v) {
    return __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
}
FARM_DEVICE u32 poll(const u32* p) {
    return *(const volatile __attribute__((address_space(1))) u32*)p;
}
FARM_DEVICE void device_fence() {
    __nvvm_membar_gl();
}

// ---- shared memory -------------------------------------------------------------------------------------------------

FARM_DEVICE u32 shared_address(const void* p) {
    return static_cast<u32>(reinterpret_cast<__UINTPTR_TYPE__>((__attribute__((address_space(3))) const void*)p));
}

// 16 bytes to shared memory while the thread goes on; `bytes` (0 to 16) are read, the rest is zero.
FARM_DEVICE void copy_async_16(void* shared, const void* global) {
    __nvvm_cp_async_cg_shared_global_16((__attribute__((address_space(3))) void*)shared,
                                        (__attribute__((address_space(1))) const void*)global);
}
FARM_DEVICE void copy_async_16(void* shared, const void* global, int bytes) {
    __nvvm_cp_async_cg_shared_global_16((__attribute__((address_space(3))) void*)shared,
                                        (__attribute__((address_space(1))) const void*)global, bytes);
}
FARM_DEVICE void copy_async_commit() {
    __nvvm_cp_async_commit_group();
}
// Until at most Pending of this thread's groups are under way; a barrier then shows them to the others.
template <int Pending>
FARM_DEVICE void copy_async_wait() {
    __nvvm_cp_async_wait_group(Pending);
}

// Four 8 x 8 matrices of 16-bit elements: lanes 8i .. 8i + 7 give the row addresses of matrix i; lane 4g + t gets
// columns 2t, 2t + 1 of row g of each.
FARM_DEVICE void load_matrix_x4(u32 (&r)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3},[%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
}
// The same of the transposed matrices: rows 2t, 2t + 1 of column g.
FARM_DEVICE void load_matrix_x4_transposed(u32 (&r)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3},[%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
}

// ---- tensor cores --------------------------------------------------------------------------------------------------

// d[16 x 8] += a[16 x 16] b[16 x 8], bf16 operands, float32 sums. Lane 4g + t holds of a: rows g, g + 8, g, g + 8 at
// columns 2t, 2t, 2t + 8, 2t + 8 (and the next of each); of b: column g, rows 2t and 2t + 8; of d: row g columns 2t,
// 2t + 1, then row g + 8.
FARM_DEVICE void mma_bf16(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// d[16 x 8] += a[16 x 32] b[32 x 8], signed bytes, exact int32 sums. Lane 4g + t holds of a: rows g, g + 8, g, g + 8 at
// columns 4t, 4t, 4t + 16, 4t + 16 (four each); of b: column g, rows 4t and 4t + 16; d as above.
FARM_DEVICE void mma_s8(int (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// ---- Philox4x32-10 -------------------------------------------------------------------------------------------------

// Farm.Core.Philox: Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", 2011.
FARM_DEVICE uint4 philox_block(u64 key, u32 c0, u32 c1, u32 c2, u32 c3) {
    u32 k0 = static_cast<u32>(key), k1 = static_cast<u32>(key >> 32);
    FARM_UNROLL
    for (int round = 0; round < 10; round++) {
        u64 p0 = 0xD2511F53ull * c0, p1 = 0xCD9E8D57ull * c2;
        u32 n0 = static_cast<u32>(p1 >> 32) ^ c1 ^ k0, n2 = static_cast<u32>(p0 >> 32) ^ c3 ^ k1;
        c1 = static_cast<u32>(p1);
        c3 = static_cast<u32>(p0);
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return uint4{c0, c1, c2, c3};
}
// Uniform in [0, 1) with 53 bits.
FARM_DEVICE double philox_uniform(u64 seed, u32 c0, u32 c1, u32 c2, u32 c3 = 0) {
    uint4 x = philox_block(seed, c0, c1, c2, c3);
    u64 bits = ((static_cast<u64>(x.x) << 32) | x.y) >> 11;
    return static_cast<double>(bits) * (1.0 / 9007199254740992.0);
}
