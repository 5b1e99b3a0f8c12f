// Causal attention over pages of bf16 keys and values on the tensor cores, for prefill, for decode, and for the prefix
// that the samples of a prompt share where their rows are few (attention_common.cuh; attention_group.cuh where they are
// many). FlashAttention-2 (Dao, 2023): scores never leave registers.
//
// A block of W warps takes 16 W rows of one key/value head, each warp 16 of them, through blocks of 64 keys; keys and
// values come by cp.async, the next block's keys under the product with this block's values and the values under the
// scores. Items are prefixes, once per group for up to 16 W rows (samples x heads), private suffixes, and prefill.
//   bytes   keys and values once per item: 4 dim per key and head, plus queries and outputs once; an item that leaves a
//           partial result writes dim + 2 floats per row, which its final item reads
//   flops   4 dim rows keys, times Terms
//   shared  keys and values 2 x 64 x (D + 8) x 2 bytes, queries 32 W Terms D: at D = 128, three terms, 47 KB for W = 1
//           and 83 KB for W = 4; folding several results adds 64 W D. Neither copies nor ldmatrix meet a bank
//           conflict; queries and running totals lie as fragments, 16 bytes a lane, without conflicts
//   registers (expected)  D = 128: 64 output sums, 32 scores, about 190 in all
//
// Terms = 3: queries and probabilities enter as three terms of bf16 each, exactly the float32 values, so that only the
// stored keys and values are rounded. Terms = 1 rounds both to bf16 (relative error 2^-9 of each probability and of
// each query element); the engine uses it where it is asked for bf16 activations.
#include "attention_common.cuh"
#include "attention_tiles.cuh"

template <int D, int W, int Terms>
FARM_DEVICE void attention_bf16(u8* shared, const float* queries, int query_stride, const u16* pool, s64 page_stride,
                                s64 value_offset, int pitch, const int* items, const int* pages, const int* slots,
                                int group, int query_heads, float scale, const Results& to) {
    int lane = lane_id(), warp = warp_id(), g = lane / 4, t = lane % 4;
    Item item = item_at(items, block_x());
    int head = block_y();
    pool += static_cast<s64>(head) * kPage * pitch;

    u16* keys = reinterpret_cast<u16*>(shared);
    u16* values = keys + kKeys * (D + 8);
    u32* query = reinterpret_cast<u32*>(values + kKeys * (D + 8)) + warp * Terms * (D / 16) * 128 + lane * 4;
    float* total =
        reinterpret_cast<float*>(reinterpret_cast<u32*>(values + kKeys * (D + 8)) + W * Terms * (D / 16) * 128) +
        warp * (D / 8) * 128 + lane * 4;

    // Rows g and g + 8 of this warp: token, query head, number of visible keys.
    int token[2], query_head[2], limit[2];
    bool valid[2];
    FARM_UNROLL
    for (int i = 0; i < 2; i++) {
        int row = item.first_row + warp * 16 + g + 8 * i;
        valid[i] = row < item.rows;
        int in_part = min_of(row, item.rows - 1) / group;
        token[i] = item.first_token + in_part;
        query_head[i] = head * group + min_of(row, item.rows - 1) - in_part * group;
        limit[i] = valid[i] ? min_of(item.length, item.limit + in_part) : 0;
    }
    int last_row = min_of(item.first_row + 16 * W, item.rows) - 1;
    int end = min_of(item.key_end, min_of(item.length, item.limit + last_row / group));
    int blocks = max_of(0, (end - item.key_begin + kKeys - 1) / kKeys);
    bool final = (item.flags & kFinal) != 0, several = (item.flags & kTotals) != 0;
    int folding = item.span / kKeys;

    auto tile = [&](int block) {
        int key = item.key_begin + block * kKeys;
        return pool + pages[item.page_start + key / kPage] * page_stride + static_cast<s64>(key % kPage) * pitch;
    };
    if (blocks > 0) copy_tile<D, W>(keys, tile(0), pitch, item.length - item.key_begin, thread_x());

    FARM_UNROLL
    for (int k = 0; k < D / 16; k++) {
        u32 a[4][Terms];
        FARM_UNROLL
        for (int i = 0; i < 4; i++) {
            int column = k * 16 + 2 * t + 8 * (i / 2);
            const float* from = queries + static_cast<s64>(token[i % 2]) * query_stride + query_head[i % 2] * to.dim;
            bool inside = column < to.dim;  // dim is even
            bf16_split<Terms>(inside ? from[column] : 0.0f, inside ? from[column + 1] : 0.0f, a[i]);
        }
        FARM_UNROLL
        for (int i = 0; i < Terms; i++)
            store4(query + (i * (D / 16) + k) * 128, uint4{a[0][i], a[1][i], a[2][i], a[3][i]});
    }

    float out[D / 8][4] = {};
    float maximum[2] = {kNoMaximum, kNoMaximum}, sum[2] = {0.0f, 0.0f};
    float total_maximum[2] = {kNoMaximum, kNoMaximum}, total_sum[2] = {0.0f, 0.0f};
    // The partial results of a row, all of them of one prefix or suffix; rows of an item have equally many.
    int partials = slots[2 * item.first_token + 1];
    s64 first_partial[2];
    FARM_UNROLL
    for (int i = 0; i < 2; i++) first_partial[i] = slots[2 * token[i]] + static_cast<s64>(query_head[i]) * partials;
    if (several) {
        FARM_NO_UNROLL
        for (int at = 0; at < (final ? partials : 0); at++) {
            Fold f[2];
            const float* from[2];
            FARM_UNROLL
            for (int i = 0; i < 2; i++) {
                float2 here = load2(to.sums + 2 * (first_partial[i] + at));
                f[i] = fold(total_maximum[i], here.x);
                total_sum[i] = folded(f[i], total_sum[i], here.y);
                total_maximum[i] = f[i].maximum;
                from[i] = to.values + (first_partial[i] + at) * to.dim + 2 * t;
            }
            FARM_UNROLL
            for (int n = 0; n < D / 8; n++)
                if (n * 8 + 2 * t < to.dim) FARM_UNROLL
            for (int i = 0; i < 2; i++) {
                float2 v = load2(from[i] + n * 8);
                out[n][2 * i] = folded(f[i], out[n][2 * i], v.x);
                out[n][2 * i + 1] = folded(f[i], out[n][2 * i + 1], v.y);
            }
        }
        FARM_UNROLL
        for (int n = 0; n < D / 8; n++) {
            store4(total + n * 128, float4{out[n][0], out[n][1], out[n][2], out[n][3]});
            FARM_UNROLL
            for (int i = 0; i < 4; i++) out[n][i] = 0.0f;
        }
    }
    float factor = scale * kLog2E;

    FARM_NO_UNROLL
    for (int block = 0; block < blocks; block++) {
        int first = item.key_begin + block * kKeys;
        copy_tile<D, W>(values, tile(block) + value_offset, pitch, item.length - first, thread_x());
        copy_async_wait<1>();
        block_barrier();

        float s[kKeys / 8][4] = {};
        FARM_UNROLL
        for (int k = 0; k < D / 16; k++) {
            u32 a[Terms][4];
            FARM_UNROLL
            for (int i = 0; i < Terms; i++) {
                uint4 q = load4(query + (i * (D / 16) + k) * 128);
                a[i][0] = q.x, a[i][1] = q.y, a[i][2] = q.z, a[i][3] = q.w;
            }
            FARM_UNROLL
            for (int n = 0; n < kKeys / 8; n += 2) {
                u32 b[4];
                load_matrix_x4(b, keys + place<D>(n * 8 + lane / 16 * 8 + lane % 8, k * 16 + lane / 8 % 2 * 8));
                FARM_UNROLL
                for (int i = 0; i < Terms; i++) {
                    mma_bf16(s[n], a[i], b[0], b[1]);
                    mma_bf16(s[n + 1], a[i], b[2], b[3]);
                }
            }
        }
        block_barrier();
        if (block + 1 < blocks)
            copy_tile<D, W>(keys, tile(block + 1), pitch, item.length - first - kKeys, thread_x());
        else
            copy_async_commit();

        take_scores<D>(s, first + 2 * t, limit, factor, maximum, sum, out);

        copy_async_wait<1>();
        block_barrier();
        FARM_UNROLL
        for (int j = 0; j < kKeys / 16; j++) {
            u32 a[Terms][4];
            FARM_UNROLL
            for (int i = 0; i < 4; i++) {
                u32 p[Terms];
                bf16_split<Terms>(s[2 * j + i / 2][i % 2 * 2], s[2 * j + i / 2][i % 2 * 2 + 1], p);
                FARM_UNROLL
                for (int m = 0; m < Terms; m++) a[m][i] = p[m];
            }
            FARM_UNROLL
            for (int n = 0; n < D / 8; n += 2) {
                u32 b[4];
                load_matrix_x4_transposed(
                    b, values + place<D>(j * 16 + lane / 8 % 2 * 8 + lane % 8, n * 8 + lane / 16 * 8));
                FARM_UNROLL
                for (int i = 0; i < Terms; i++) {
                    mma_bf16(out[n], a[i], b[0], b[1]);
                    mma_bf16(out[n + 1], a[i], b[2], b[3]);
                }
            }
        }
        block_barrier();

        if (several && ((block + 1) % folding == 0 || block + 1 == blocks)) {
            Fold f[2];
            FARM_UNROLL
            for (int i = 0; i < 2; i++) {
                f[i] = fold(total_maximum[i], maximum[i]);
                total_sum[i] = folded(f[i], total_sum[i], warp_sum<4>(sum[i]));
                total_maximum[i] = f[i].maximum;
                maximum[i] = kNoMaximum;
                sum[i] = 0.0f;
            }
            FARM_UNROLL
            for (int n = 0; n < D / 8; n++) {
                float4 before = load4(total + n * 128);
                store4(total + n * 128, float4{folded(f[0], before.x, out[n][0]), folded(f[0], before.y, out[n][1]),
                                               folded(f[1], before.z, out[n][2]), folded(f[1], before.w, out[n][3])});
                FARM_UNROLL
                for (int i = 0; i < 4; i++) out[n][i] = 0.0f;
            }
        }
    }
    copy_async_wait<0>();

    FARM_UNROLL
    for (int i = 0; i < 2; i++) {
        if (several) {
            maximum[i] = total_maximum[i];
            sum[i] = total_sum[i];
        } else {
            sum[i] = warp_sum<4>(sum[i]);
        }
    }
    FARM_UNROLL
    for (int n = 0; n < D / 8; n++)
        if (several) {
            float4 v = load4(total + n * 128);
            out[n][0] = v.x, out[n][1] = v.y, out[n][2] = v.z, out[n][3] = v.w;
        }
    FARM_UNROLL
    for (int i = 0; i < 2; i++) {
        if (!valid[i]) continue;
        s64 index = first_partial[i] + item.slot;
        float divisor = final ? 1.0f / sum[i] : 1.0f;
        float* at = final ? to.output + static_cast<s64>(token[i]) * to.output_stride + query_head[i] * to.dim
                          : to.values + index * to.dim;
        FARM_UNROLL
        for (int n = 0; n < D / 8; n++) {
            int column = n * 8 + 2 * t;
            if (column >= to.dim) continue;
            if (!final) {
                store2(at + column, float2{out[n][2 * i], out[n][2 * i + 1]});
            } else {
                at[column] = out[n][2 * i] * divisor;
                at[column + 1] = out[n][2 * i + 1] * divisor;
            }
        }
        if (!final && t == 0) {
            to.sums[2 * index] = maximum[i];
            to.sums[2 * index + 1] = sum[i];
        }
    }
    (void)query_heads;
}

#define ATTENTION(NAME, D, W, TERMS)                                                                              \
    FARM_KERNEL(32 * W)                                                                                           \
    NAME(const float* __restrict__ queries, int query_stride, const u16* __restrict__ pool, s64 page_stride,      \
         s64 value_offset, int pitch, const int* __restrict__ items, const int* __restrict__ pages,               \
         const int* __restrict__ slots, int group, int query_heads, int dim, float scale, float* output,          \
         int output_stride, float* values, float* sums) {                                                         \
        extern __shared__ __attribute__((aligned(128))) u8 shared[];                                              \
        Results to = {output, output_stride, values, sums, dim};                                                  \
        attention_bf16<D, W, TERMS>(shared, queries, query_stride, pool, page_stride, value_offset, pitch, items, \
                                    pages, slots, group, query_heads, scale, to);                                 \
    }

ATTENTION(attention_bf16_d32_w1, 32, 1, 3)
ATTENTION(attention_bf16_d32_w2, 32, 2, 3)
ATTENTION(attention_bf16_d32_w4, 32, 4, 3)
ATTENTION(attention_bf16_d64_w1, 64, 1, 3)
ATTENTION(attention_bf16_d64_w2, 64, 2, 3)
ATTENTION(attention_bf16_d64_w4, 64, 4, 3)
ATTENTION(attention_bf16_d128_w1, 128, 1, 3)
ATTENTION(attention_bf16_d128_w2, 128, 2, 3)
ATTENTION(attention_bf16_d128_w4, 128, 4, 3)
ATTENTION(attention_bf16_rounded_d32_w1, 32, 1, 1)
ATTENTION(attention_bf16_rounded_d32_w2, 32, 2, 1)
ATTENTION(attention_bf16_rounded_d32_w4, 32, 4, 1)
ATTENTION(attention_bf16_rounded_d64_w1, 64, 1, 1)
ATTENTION(attention_bf16_rounded_d64_w2, 64, 2, 1)
ATTENTION(attention_bf16_rounded_d64_w4, 64, 4, 1)
ATTENTION(attention_bf16_rounded_d128_w1, 128, 1, 1)
ATTENTION(attention_bf16_rounded_d128_w2, 128, 2, 1)
ATTENTION(attention_bf16_rounded_d128_w4, 128, 4, 1)
