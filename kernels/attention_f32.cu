// Causal attention over pages of float32 keys and values with scalar fused multiply-adds: the exact mode, for the same
// items as attention.cu.
//
// A block of 128 threads takes 16 rows of one key/value head through blocks of 32 keys. Thread (r, c) of 16 x 8 holds
// the scores of row r with keys c, c + 8, c + 16, c + 24 and the outputs 4 c + 32 j of that row.
//   bytes   8 dim per key and head and item, queries and outputs once
//   flops   4 dim rows keys on the float32 units; five 16-byte shared loads per 16 multiply-adds of the scores, 1 + D /
//   32
//           per D / 8 of the outputs
//   shared  (16 + 2 x 32) x (D + 4) floats and 16 x 40 of probabilities: 45 KB at D = 128. Rows are D + 4 floats apart,
//           so that the eight keys of a quarter warp's 16-byte loads lie in different banks
//   registers (expected)  D = 128: about 80
#include "attention_common.cuh"

constexpr int kThreads = 128, kRows = 16, kKeys = 32;

template <int D>
FARM_DEVICE void copy_tile(float* to, const float* from, int pitch, int keys) {
    constexpr int kChunks = D / 4;
    FARM_UNROLL
    for (int i = 0; i < kKeys * kChunks / kThreads; i++) {
        int at = i * kThreads + thread_x(), key = at / kChunks, column = at % kChunks * 4;
        bool inside = key < keys && column < pitch;
        copy_async_16(to + key * (D + 4) + column, from + (inside ? key * pitch + column : 0), inside ? 16 : 0);
    }
    copy_async_commit();
}

template <int D>
FARM_DEVICE void attention_f32(const float* queries, int query_stride, const float* pool, s64 page_stride,
                               s64 value_offset, int pitch, const int* items, const int* pages, const int* slots,
                               int group, float scale, const Results& to) {
    __shared__ __attribute__((aligned(16))) float query[kRows][D + 4];
    __shared__ __attribute__((aligned(16))) float keys[kKeys][D + 4];
    __shared__ __attribute__((aligned(16))) float values[kKeys][D + 4];
    __shared__ __attribute__((aligned(16))) float weights[kRows][kKeys + 8];
    int r = thread_x() / 8, c = thread_x() % 8;
    Item item = item_at(items, block_x());
    int head = block_y();
    pool += static_cast<s64>(head) * kPage * pitch;

    int row = item.first_row + r;
    bool valid = row < item.rows;
    int in_part = min_of(row, item.rows - 1) / group;
    int token = item.first_token + in_part;
    int query_head = head * group + min_of(row, item.rows - 1) - in_part * group;
    int limit = valid ? min_of(item.length, item.limit + in_part) : 0;
    int last_row = min_of(item.first_row + kRows, item.rows) - 1;
    int end = min_of(item.key_end, min_of(item.length, item.limit + last_row / group));
    int blocks = max_of(0, (end - item.key_begin + kKeys - 1) / kKeys);

    auto tile = [&](int block) {
        int key = item.key_begin + block * kKeys;
        return pool + pages[item.page_start + key / kPage] * page_stride + static_cast<s64>(key % kPage) * pitch;
    };
    if (blocks > 0) copy_tile<D>(keys[0], tile(0), pitch, item.length - item.key_begin);
    const float* from = queries + static_cast<s64>(token) * query_stride + query_head * to.dim;
    FARM_UNROLL
    for (int i = 0; i < D / 8; i++) query[r][8 * i + c] = 8 * i + c < to.dim ? from[8 * i + c] : 0.0f;

    float out[D / 32][4] = {}, total[D / 32][4] = {};
    float maximum = kNoMaximum, sum = 0.0f, total_maximum = kNoMaximum, total_sum = 0.0f;
    float factor = scale * kLog2E;
    bool final = (item.flags & kFinal) != 0;
    int partials = slots[2 * item.first_token + 1], folding = item.span / kKeys;
    s64 first_partial = slots[2 * token] + static_cast<s64>(query_head) * partials;
    FARM_NO_UNROLL
    for (int at = 0; at < (final ? partials : 0); at++) {
        float2 here = load2(to.sums + 2 * (first_partial + at));
        Fold f = fold(total_maximum, here.x);
        total_sum = folded(f, total_sum, here.y);
        total_maximum = f.maximum;
        const float* before = to.values + (first_partial + at) * to.dim + 4 * c;
        FARM_UNROLL
        for (int j = 0; j < D / 32; j++) FARM_UNROLL
        for (int i = 0; i < 4; i++)
            if (32 * j + 4 * c + i < to.dim) total[j][i] = folded(f, total[j][i], before[32 * j + i]);
    }
    FARM_NO_UNROLL
    for (int block = 0; block < blocks; block++) {
        int first = item.key_begin + block * kKeys;
        copy_tile<D>(values[0], tile(block) + value_offset, pitch, item.length - first);
        copy_async_wait<1>();
        block_barrier();

        float s[kKeys / 8] = {};
        FARM_UNROLL
        for (int d = 0; d < D; d += 4) {
            float4 q = load4(&query[r][d]);
            FARM_UNROLL
            for (int j = 0; j < kKeys / 8; j++) {
                float4 k = load4(&keys[c + 8 * j][d]);
                FARM_UNROLL
                for (int i = 0; i < 4; i++) s[j] = fma(q[i], k[i], s[j]);
            }
        }
        block_barrier();
        if (block + 1 < blocks)
            copy_tile<D>(keys[0], tile(block + 1), pitch, item.length - first - kKeys);
        else
            copy_async_commit();

        float now = maximum;
        FARM_UNROLL
        for (int j = 0; j < kKeys / 8; j++) {
            s[j] = first + c + 8 * j < limit ? s[j] * factor : -__builtin_inff();
            now = max_of(now, s[j]);
        }
        now = warp_max<8>(now);
        float correction = fast_exp2(maximum - now);
        maximum = now;
        sum *= correction;
        FARM_UNROLL
        for (int j = 0; j < kKeys / 8; j++) {
            s[j] = fast_exp2(s[j] - now);
            sum += s[j];
            weights[r][c + 8 * j] = s[j];
        }
        FARM_UNROLL
        for (int j = 0; j < D / 32; j++) FARM_UNROLL
        for (int i = 0; i < 4; i++) out[j][i] *= correction;

        copy_async_wait<1>();
        block_barrier();
        FARM_UNROLL
        for (int k = 0; k < kKeys; k += 4) {
            float4 p = load4(&weights[r][k]);
            FARM_UNROLL
            for (int m = 0; m < 4; m++) FARM_UNROLL
            for (int j = 0; j < D / 32; j++) {
                float4 v = load4(&values[k + m][32 * j + 4 * c]);
                FARM_UNROLL
                for (int i = 0; i < 4; i++) out[j][i] = fma(p[m], v[i], out[j][i]);
            }
        }
        block_barrier();

        if ((block + 1) % folding == 0 || block + 1 == blocks) {
            Fold f = fold(total_maximum, maximum);
            total_sum = folded(f, total_sum, warp_sum<8>(sum));
            total_maximum = f.maximum;
            FARM_UNROLL
            for (int j = 0; j < D / 32; j++) FARM_UNROLL
            for (int i = 0; i < 4; i++) {
                total[j][i] = folded(f, total[j][i], out[j][i]);
                out[j][i] = 0.0f;
            }
            maximum = kNoMaximum;
            sum = 0.0f;
        }
    }
    copy_async_wait<0>();

    if (!valid) return;
    s64 index = first_partial + item.slot;
    float divisor = final ? 1.0f / total_sum : 1.0f;
    float* at = final ? to.output + static_cast<s64>(token) * to.output_stride + query_head * to.dim
                      : to.values + index * to.dim;
    FARM_UNROLL
    for (int j = 0; j < D / 32; j++) FARM_UNROLL
    for (int i = 0; i < 4; i++) {
        int column = 32 * j + 4 * c + i;
        if (column < to.dim) at[column] = total[j][i] * divisor;
    }
    if (!final && c == 0) {
        to.sums[2 * index] = total_maximum;
        to.sums[2 * index + 1] = total_sum;
    }
}

#define ATTENTION(NAME, D)                                                                                          \
    FARM_KERNEL(kThreads)                                                                                           \
    NAME(const float* __restrict__ queries, int query_stride, const float* __restrict__ pool, s64 page_stride,      \
         s64 value_offset, int pitch, const int* __restrict__ items, const int* __restrict__ pages,                 \
         const int* __restrict__ slots, int group, int query_heads, int dim, float scale, float* output,            \
         int output_stride, float* values, float* sums) {                                                           \
        Results to = {output, output_stride, values, sums, dim};                                                    \
        (void)query_heads;                                                                                          \
        attention_f32<D>(queries, query_stride, pool, page_stride, value_offset, pitch, items, pages, slots, group, \
                         scale, to);                                                                                \
    }

ATTENTION(attention_f32_d32, 32)
ATTENTION(attention_f32_d64, 64)
ATTENTION(attention_f32_d128, 128)
