// One right kernel and the same with one mistake each. The product: C[16][16] = A[16][64] B[16][64]^T by two warps, K
// in four tiles, copied ahead by cp.async into two buffers.
#include "device.cuh"

enum Bug {
    None,
    NoTrailingBarrier,
    NoLeadingBarrier,
    LateWait,
    SwappedFragments,
    SwappedRight,
    RepeatedRows,
    ExchangedRows,
    RowBeyondEnd,
    MisalignedCopy,
    SharedBeyondEnd,
    MissingRow,
};

template <int B>
__device__ __attribute__((always_inline)) inline void product(const u16* a, const u16* b, float* c) {
    __shared__ __attribute__((aligned(16))) u16 sa[2][16][24], sb[2][16][24];
    const u32 t = tid(), lane = t % 32, warp = t / 32;
    const auto stage = [&](u32 tile) {
        const u32 row = lane / 2, column = 8 * (lane % 2);
        const u16* from =
            (warp == 0 ? a : b) + (row + (B == RowBeyondEnd && warp == 1 ? 1 : 0)) * 64 + 16 * tile + column;
        if (B == MissingRow && row == 5 && warp == 0) {
            return;
        }
        copy16(warp == 0 ? &sa[tile % 2][row][column] : &sb[tile % 2][row][column],
               from + (B == MisalignedCopy && t == 7 ? 4 : 0));
    };
    float d[4] = {0, 0, 0, 0};
    stage(0);
    commit();
    for (u32 tile = 0; tile < 4; tile++) {
        if (tile < 3) {
            stage(tile + 1);
        }
        commit();
        wait<B == LateWait ? 2 : 1>();
        if (B != NoLeadingBarrier) {
            __syncthreads();
        }
        u32 fa[4], fb[2];
        // Lanes 8 to 15 give rows 8 to 15 of the tile.
        const u32 row = B == RepeatedRows ? lane % 8 : B == ExchangedRows ? lane % 16 ^ lane / 8 % 2 : lane % 16;
        const u32 beyond = B == SharedBeyondEnd && tile == 1 ? 96 : 0;
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3},[%4];"
                     : "=r"(fa[0]), "=r"(fa[1]), "=r"(fa[2]), "=r"(fa[3])
                     : "r"(shared_address(&sa[tile % 2][row][8 * (lane / 16)]))
                     : "memory");
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1},[%2];"
                     : "=r"(fb[0]), "=r"(fb[1])
                     : "r"(shared_address(&sb[tile % 2][8 * warp + lane % 8 + beyond][8 * (lane / 8 % 2)]))
                     : "memory");
        const u32 second = B == SwappedFragments ? fa[2] : fa[1], third = B == SwappedFragments ? fa[1] : fa[2];
        asm volatile(
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
            : "r"(fa[0]), "r"(second), "r"(third), "r"(fa[3]), "r"(fb[B == SwappedRight]), "r"(fb[B != SwappedRight]));
        if (B != NoTrailingBarrier) {
            __syncthreads();
        }
    }
    const u32 g = lane / 4, q = 8 * warp + 2 * (lane % 4);
    c[16 * g + q] = d[0];
    c[16 * g + q + 1] = d[1];
    c[16 * (g + 8) + q] = d[2];
    c[16 * (g + 8) + q + 1] = d[3];
}

#define PRODUCT(name, bug)                                                                        \
    extern "C" __global__ void __launch_bounds__(64) name(const u16* a, const u16* b, float* c) { \
        product<bug>(a, b, c);                                                                    \
    }

PRODUCT(product_right, None)
PRODUCT(product_no_trailing_barrier, NoTrailingBarrier)
PRODUCT(product_no_leading_barrier, NoLeadingBarrier)
PRODUCT(product_late_wait, LateWait)
PRODUCT(product_swapped_fragments, SwappedFragments)
PRODUCT(product_swapped_right, SwappedRight)
PRODUCT(product_repeated_rows, RepeatedRows)
PRODUCT(product_exchanged_rows, ExchangedRows)
PRODUCT(product_row_beyond_end, RowBeyondEnd)
PRODUCT(product_misaligned_copy, MisalignedCopy)
PRODUCT(product_shared_beyond_end, SharedBeyondEnd)
PRODUCT(product_missing_row, MissingRow)

/// C[16][16] = A B with both operands turned: A as [64][16], B as [64][16], k across lines. A warp; the tiles by
/// ordinary loads and stores, of which the last lines are zero where `k` is below 64.
template <bool LeftTurned, bool RightTurned>
__device__ __attribute__((always_inline)) inline void turned(const u16* a, const u16* b, float* c, u32 k) {
    __shared__ __attribute__((aligned(16))) u16 sa[16][24], sb[16][24];
    const u32 lane = tid();
    float d[2][4] = {};
    for (u32 tile = 0; tile < 4; tile++) {
        const u32 row = lane / 2, column = 8 * (lane % 2), from = (16 * tile + row) * 16 + column;
        copy16(&sa[row][column], a + from, 16 * tile + row < k ? 16 : 0);
        const u32x4 v = *reinterpret_cast<const u32x4*>(b + from);
        asm volatile("st.shared.v4.u32 [%0], {%1,%2,%3,%4};" ::"r"(shared_address(&sb[row][column])), "r"(v.x),
                     "r"(v.y), "r"(v.z), "r"(v.w)
                     : "memory");
        commit();
        wait<0>();
        __nvvm_bar_warp_sync(~0u);
        u32 fa[4], fb[4];
        if (LeftTurned) {
            asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3},[%4];"
                         : "=r"(fa[0]), "=r"(fa[1]), "=r"(fa[2]), "=r"(fa[3])
                         : "r"(shared_address(&sa[lane % 8 + 8 * (lane / 16)][8 * (lane / 8 % 2)]))
                         : "memory");
        } else {
            asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3},[%4];"
                         : "=r"(fa[0]), "=r"(fa[1]), "=r"(fa[2]), "=r"(fa[3])
                         : "r"(shared_address(&sa[lane % 8 + 8 * (lane / 16)][8 * (lane / 8 % 2)]))
                         : "memory");
        }
        if (RightTurned) {
            asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3},[%4];"
                         : "=r"(fb[0]), "=r"(fb[1]), "=r"(fb[2]), "=r"(fb[3])
                         : "r"(shared_address(&sb[lane % 16][8 * (lane / 16)]))
                         : "memory");
        } else {
            asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3},[%4];"
                         : "=r"(fb[0]), "=r"(fb[1]), "=r"(fb[2]), "=r"(fb[3])
                         : "r"(shared_address(&sb[lane % 16][8 * (lane / 16)]))
                         : "memory");
        }
        for (u32 n = 0; n < 2; n++) {
            asm volatile(
                "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                "{%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                : "+f"(d[n][0]), "+f"(d[n][1]), "+f"(d[n][2]), "+f"(d[n][3])
                : "r"(fa[0]), "r"(fa[1]), "r"(fa[2]), "r"(fa[3]), "r"(fb[2 * n]), "r"(fb[2 * n + 1]));
        }
        __nvvm_bar_warp_sync(~0u);
    }
    const u32 g = lane / 4, q = 2 * (lane % 4);
    for (u32 n = 0; n < 2; n++) {
        c[16 * g + 8 * n + q] = d[n][0];
        c[16 * g + 8 * n + q + 1] = d[n][1];
        c[16 * (g + 8) + 8 * n + q] = d[n][2];
        c[16 * (g + 8) + 8 * n + q + 1] = d[n][3];
    }
}

#define TURNED(name, left, right)                                                                        \
    extern "C" __global__ void __launch_bounds__(32) name(const u16* a, const u16* b, float* c, u32 k) { \
        turned<left, right>(a, b, c, k);                                                                 \
    }

TURNED(turned_right, true, true)
TURNED(turned_left_forgotten, false, true)
TURNED(turned_right_forgotten, true, false)

/// One product of a warp whose operands come from global memory without a stop: a pair of elements a register, or
/// 16 bytes a lane that lie as fragments. `order` is the registers' order, one digit each.
template <u32 Order, bool Packed>
__device__ __attribute__((always_inline)) inline void straight(const u32* a, const u32* b, float* c) {
    const u32 lane = tid(), g = lane / 4, t = lane % 4;
    u32 fa[4], fb[2];
    if (Packed) {
        const u32x4 v = reinterpret_cast<const u32x4*>(a)[lane];
        fa[0] = v.x, fa[1] = v.y, fa[2] = v.z, fa[3] = v.w;
        fb[0] = b[2 * lane], fb[1] = b[2 * lane + 1];
    } else {
        for (u32 r = 0; r < 4; r++) {
            fa[r] = a[(g + r % 2 * 8) * 8 + t + r / 2 * 4];
        }
        fb[0] = b[g * 8 + t], fb[1] = b[g * 8 + t + 4];
    }
    float d[4] = {};
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(fa[Order / 1000]), "r"(fa[Order / 100 % 10]), "r"(fa[Order / 10 % 10]), "r"(fa[Order % 10]), "r"(fb[0]),
          "r"(fb[1]));
    c[lane] = d[0] + d[1] + d[2] + d[3];
}

#define STRAIGHT(name, order, packed)                                                             \
    extern "C" __global__ void __launch_bounds__(32) name(const u32* a, const u32* b, float* c) { \
        straight<order, packed>(a, b, c);                                                         \
    }

STRAIGHT(straight_right, 123, false)
STRAIGHT(straight_swapped, 213, false)
STRAIGHT(straight_packed_right, 123, true)
STRAIGHT(straight_packed_swapped, 213, true)

/// out[i] = the sum of in over the block, by a tree in shared memory; in has a value per thread.
template <bool Barrier>
__device__ __attribute__((always_inline)) inline void tree(const float* in, float* out, u32 shift) {
    __shared__ float values[128];
    values[tid()] = in[tid() + shift];
    __syncthreads();
    for (u32 d = 64; d > 0; d /= 2) {
        if (tid() < d) {
            values[tid()] += values[tid() + d];
        }
        if (Barrier) {
            __syncthreads();
        }
    }
    if (tid() == 0) {
        *out = values[0];
    }
}

extern "C" __global__ void __launch_bounds__(128) tree_right(const float* in, float* out) {
    tree<true>(in, out, 0);
}
extern "C" __global__ void __launch_bounds__(128) tree_no_barrier(const float* in, float* out) {
    tree<false>(in, out, 0);
}
extern "C" __global__ void __launch_bounds__(128) tree_off_by_one(const float* in, float* out) {
    tree<true>(in, out, 1);
}

extern "C" __global__ void misaligned_vector(const u32* in, u32x4* out) {
    out[tid()] = *reinterpret_cast<const u32x4*>(in + 4 * tid() + 2);
}

extern "C" __global__ void store_beyond_end(float* out, u32 n) {
    if (tid() <= n) {
        out[tid()] = 1.0f;
    }
}

/// Half of a warp goes to the barrier.
extern "C" __global__ void divergent_barrier(float* out) {
    if (tid() % 32 < 16) {
        __syncthreads();
    }
    out[tid()] = 1.0f;
}

/// Each warp waits, but at barriers of their own.
extern "C" __global__ void different_barriers(float* out) {
    if (tid() < 32) {
        out[tid()] = 2.0f;
        __syncthreads();
    } else {
        out[tid()] = 3.0f;
        asm volatile("bar.sync 1;" ::: "memory");
    }
}

/// Lanes exchange through shared memory; `wait` is whether they meet in between.
template <bool Wait>
__device__ __attribute__((always_inline)) inline void neighbours(float* out) {
    __shared__ float values[32];
    values[tid()] = (float)tid();
    if (Wait) {
        __nvvm_bar_warp_sync(~0u);
    }
    asm volatile("" ::: "memory");
    out[tid()] = values[tid() ^ 1];
}

extern "C" __global__ void __launch_bounds__(32) neighbours_right(float* out) {
    neighbours<true>(out);
}
extern "C" __global__ void __launch_bounds__(32) neighbours_no_wait(float* out) {
    neighbours<false>(out);
}

extern "C" __global__ void shuffle_in_branch(u32* out) {
    u32 v = tid();
    if (tid() < 20) {
        asm volatile("shfl.sync.bfly.b32 %0, %0, 1, 31, 0xffffffff;" : "+r"(v));
    }
    out[tid()] = v;
}

extern "C" __global__ void endless(volatile u32* flag) {
    while (*flag == 0) {
    }
}

extern "C" __global__ void trapped(u32* out) {
    if (out[tid()] == 7) {
        __builtin_trap();
    }
}

/// Named barriers: warps 0 and 1 pass a value by barrier 1, warps 2 and 3 by barrier 2.
extern "C" __global__ void __launch_bounds__(128) named_barriers(u32* out) {
    __shared__ u32 values[128];
    values[tid()] = tid() * 3;
    __nvvm_barrier_sync_cnt(1 + tid() / 64, 64);
    out[tid()] = values[tid() ^ 32];
}

/// The same with a neighbour of the other pair.
extern "C" __global__ void __launch_bounds__(128) named_barriers_wrong_pair(u32* out) {
    __shared__ u32 values[128];
    values[tid()] = tid() * 3;
    __nvvm_barrier_sync_cnt(1 + tid() / 64, 64);
    out[tid()] = values[tid() ^ 64];
}

/// Pairs of warps read a value, meet, and the first of them overwrites it. `reader` is a warp that reads a value that
/// is not its pair's, and does not meet those who do.
static __device__ __attribute__((always_inline)) inline void pairs_overwrite(u32* out, u32 reader) {
    __shared__ u32 s[4];
    const u32 warp = tid() / 32, pair = warp / 2;
    if (tid() % 64 == 0) {
        s[pair] = pair;
    }
    __nvvm_barrier_sync_cnt(1 + pair, 64);
    u32 seen = s[pair];
    __syncthreads();
    seen += s[warp == reader ? 1 - pair : pair];
    __nvvm_barrier_sync_cnt(1 + pair, 64);
    if (tid() % 64 == 0) {
        s[pair] = seen;
    }
    out[tid()] = seen;
}
extern "C" __global__ void __launch_bounds__(128) pairs_read(u32* out) {
    pairs_overwrite(out, ~0u);
}
extern "C" __global__ void __launch_bounds__(128) pairs_read_and_another(u32* out) {
    pairs_overwrite(out, 3);
}

/// Bank conflicts: stride 1, 2, 32 words, and everybody the same word.
extern "C" __global__ void __launch_bounds__(32) strided(u32* out, u32 stride) {
    extern __shared__ __attribute__((aligned(16))) u32 words[];
    for (u32 k = 0; k < 32; k++) {
        words[tid() + 32 * k] = k;
    }
    __nvvm_bar_warp_sync(~0u);
    asm volatile("" ::: "memory");
    u32 v;
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(v) : "r"(shared_address(words + tid() * stride)) : "memory");
    out[tid()] = v;
}
