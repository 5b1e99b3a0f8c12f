// Causal attention of packed sequences with the log-sum-exp kept for the backward (Dao, FlashAttention-2, 2023,
// algorithm 1). A block has 64 queries of one head of one sequence, a warp 16 of them; keys and values come by tiles of
// Columns, the values while the scores are made and the next keys while the values are used. Nothing of size [T, T]
// exists.
//
// Bytes: the packed queries once, packed keys and values once for each 64 queries and query head (2 D Terms bytes a
// row), 4 D a row out. Flops: 4 D a score, times six with three terms. Shared memory: 2 Terms D (64 + 2 Columns):
// 48 KiB at D 128 with one term and 96 KiB with three. Registers: about 64 + D / 2 + Columns / 2.
#include "train_attention.cuh"

constexpr int kRows = 64;
constexpr int kThreads = 128;

template <int D, int Columns, int Terms>
FARM_DEVICE void attention(uint4* shared, const u16* qkv, const int* starts, float* output, float* log_sum_exp,
                           s64 plane, int sequences, int query_heads, int kv_heads, int head_dim, int output_stride,
                           int log_sum_exp_stride, float scale) {
    int first, length, row0;
    if (!find_tile<kRows>(starts, sequences, first, length, row0)) return;
    int head = block_y(), kv = head / (query_heads / kv_heads);
    s64 pitch = static_cast<s64>(query_heads + 2 * kv_heads) * D;
    const u16* sequence = qkv + first * pitch;
    const u16* keys = sequence + (query_heads + kv) * D;
    const u16* values = keys + kv_heads * D;
    uint4 *q = shared, *k = q + Terms * kRows * D / 8, *v = k + Terms * Columns * D / 8;

    fetch_tile<D, kRows, Terms, kThreads>(q, sequence + row0 * pitch + head * D, plane, pitch, length - row0);
    fetch_tile<D, Columns, Terms, kThreads>(k, keys, plane, pitch, length);
    copy_async_commit();

    float sum[D / 8][4] = {}, maximum[2] = {kNoMaximum, kNoMaximum}, mass[2] = {};
    int warp_row = warp_id() * 16, end = min_of(row0 + kRows, length);
    FARM_NO_UNROLL
    for (int k0 = 0; k0 < end; k0 += Columns) {
        fetch_tile<D, Columns, Terms, kThreads>(v, values + k0 * pitch, plane, pitch, length - k0);
        copy_async_commit();
        copy_async_wait<1>();
        block_barrier();
        float s[Columns / 8][4] = {};
        scores<D, kRows, Columns, Terms>(s, q, warp_row, k);
        block_barrier();
        if (k0 + Columns < end)
            fetch_tile<D, Columns, Terms, kThreads>(k, keys + (k0 + Columns) * pitch, plane, pitch,
                                                    length - k0 - Columns);
        copy_async_commit();

        // A tile that reaches past the first query's key is masked; every row sees key 0 in its first tile, so that the
        // maximum is a score from then on.
        bool masked = k0 + Columns - 1 > row0;
        FARM_UNROLL
        for (int half = 0; half < 2; half++) {
            int row = row0 + warp_row + half * 8 + (lane_id() >> 2), column = k0 + (lane_id() & 3) * 2;
            float top = maximum[half];
            FARM_UNROLL
            for (int j = 0; j < Columns / 8; j++) {
                FARM_UNROLL
                for (int i = 0; i < 2; i++) {
                    float& x = s[j][half * 2 + i];
                    x = masked && column + j * 8 + i > row ? kNoMaximum : x * scale;
                    top = max_of(top, x);
                }
            }
            top = warp_max<4>(top);
            float shrink = exponential<Terms>(maximum[half] - top), here = 0.0f;
            maximum[half] = top;
            FARM_UNROLL
            for (int j = 0; j < Columns / 8; j++) {
                FARM_UNROLL
                for (int i = 0; i < 2; i++) {
                    float& x = s[j][half * 2 + i];
                    x = exponential<Terms>(x - top);
                    here += x;
                }
            }
            mass[half] = fma(mass[half], shrink, here);
            FARM_UNROLL
            for (int n = 0; n < D / 8; n++) {
                sum[n][half * 2] *= shrink;
                sum[n][half * 2 + 1] *= shrink;
            }
        }
        u32 p[Terms][Columns / 16][4];
        to_operand<Terms, Columns>(s, p);
        copy_async_wait<1>();
        block_barrier();
        accumulate<D, D, Columns, Terms>(sum, p, v, 0);
        block_barrier();
    }
    copy_async_wait<0>();
    FARM_UNROLL
    for (int half = 0; half < 2; half++) {
        int row = row0 + warp_row + half * 8 + (lane_id() >> 2);
        float total = warp_sum<4>(mass[half]), inverse = 1.0f / total;
        if (row >= length) continue;
        float* to = output + static_cast<s64>(first + row) * output_stride + head * head_dim;
        FARM_UNROLL
        for (int n = 0; n < D / 8; n++) {
            FARM_UNROLL
            for (int i = 0; i < 2; i++) {
                int d = n * 8 + (lane_id() & 3) * 2 + i;
                if (d < head_dim) to[d] = sum[n][half * 2 + i] * inverse;
            }
        }
        if ((lane_id() & 3) == 0)
            log_sum_exp[static_cast<s64>(first + row) * log_sum_exp_stride + head] =
                static_cast<float>(static_cast<double>(maximum[half]) + log_f64(static_cast<double>(total)));
    }
}

#define FARM_ATTENTION(name, d, columns, terms)                                                                       \
    FARM_KERNEL(kThreads)                                                                                             \
    name(const u16* qkv, const int* __restrict__ starts, float* output, float* log_sum_exp, s64 plane, int sequences, \
         int query_heads, int kv_heads, int head_dim, int output_stride, int log_sum_exp_stride, float scale) {       \
        extern __shared__ uint4 shared[];                                                                             \
        attention<d, columns, terms>(shared, qkv, starts, output, log_sum_exp, plane, sequences, query_heads,         \
                                     kv_heads, head_dim, output_stride, log_sum_exp_stride, scale);                   \
    }
FARM_ATTENTION(attention_train_bf16_64, 64, 64, 1)
FARM_ATTENTION(attention_train_bf16_128, 128, 64, 1)
FARM_ATTENTION(attention_train_bf16_256, 256, 32, 1)
FARM_ATTENTION(attention_train_f32_64, 64, 32, 3)
FARM_ATTENTION(attention_train_f32_128, 128, 32, 3)
FARM_ATTENTION(attention_train_f32_256, 256, 16, 3)
