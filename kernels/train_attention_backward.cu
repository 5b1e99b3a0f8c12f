// Backward of causal attention over packed sequences (Dao, FlashAttention-2, 2023, algorithm 2): probabilities are made
// again from the scores and the saved log-sum-exp, tile by tile.
//
// Where the paper adds the queries' gradient with atomics, two kernels make the scores twice and add in a fixed order:
// one holds a tile of keys and walks the queries that see it (of all query heads that share the keys, in order), the
// other holds queries and walks their keys. Both are the same program: with X, X' the held rows (K, V or Q, dO) and Y,
// Y' the rows walked (Q, dO or K, V),
//   P = e^(scale X Y^T - lse), dS = P (X' Y'^T - delta) scale, gradient of X += dS Y, and for keys gradient of X' += P
//   Y'.
//
// Bytes: the held rows once, the rows walked once for each tile held and head (4 D Terms bytes a row). Flops: 6 D a
// score for queries and 8 D for keys, times six with three terms. Shared memory: 4 Terms D (Held + Stages * Walked) and
// 8 bytes a row walked: 64 KiB at D 128 with one term, 96 KiB with three. Registers: 64 + D for keys, 64 + D / 2 for
// queries, the columns of D = 256 shared by two warps.
#include "train_attention.cuh"

constexpr int kThreads = 256;

// statistics [heads][T] = {log-sum-exp, delta = sum_d output * gradient}, a warp for a row of a head. Bytes: 8 D + 12.
FARM_KERNEL(kThreads)
attention_statistics(const float* __restrict__ output, const float* __restrict__ gradient,
                     const float* __restrict__ log_sum_exp, float2* __restrict__ statistics, int output_stride,
                     int gradient_stride, int log_sum_exp_stride, int rows, int head_dim) {
    int row = block_x() * (kThreads / 32) + warp_id(), head = block_y();
    if (row >= rows) return;
    const float* o = output + static_cast<s64>(row) * output_stride + head * head_dim;
    const float* g = gradient + static_cast<s64>(row) * gradient_stride + head * head_dim;
    float delta = 0.0f;
    for (int d = lane_id(); d < head_dim; d += 32) delta = fma(o[d], g[d], delta);
    delta = warp_sum(delta);
    if (lane_id() == 0)
        statistics[static_cast<s64>(head) * rows + row] =
            float2{log_sum_exp[static_cast<s64>(row) * log_sum_exp_stride + head], delta};
}

// Adds rows of sums to float32 gradients; `to` points at the head's columns of the sequence's first row.
template <int Width>
FARM_DEVICE void store_rows(const float (&sum)[Width / 8][4], float* to, int stride, int row0, int length, int column0,
                            int head_dim) {
    FARM_UNROLL
    for (int half = 0; half < 2; half++) {
        int row = row0 + half * 8 + (lane_id() >> 2);
        if (row >= length) continue;
        FARM_UNROLL
        for (int n = 0; n < Width / 8; n++) {
            FARM_UNROLL
            for (int i = 0; i < 2; i++) {
                int d = column0 + n * 8 + (lane_id() & 3) * 2 + i;
                if (d < head_dim) to[static_cast<s64>(row) * stride + d] = sum[n][half * 2 + i];
            }
        }
    }
}

template <bool Keys, int D, int Held, int Walked, int Stages, int Terms, int Parts>
FARM_DEVICE void backward(uint4* shared, const u16* qkv, const u16* output_gradient, const float2* statistics,
                          const int* starts, float* gradient, s64 qkv_plane, s64 output_plane, int sequences,
                          int query_heads, int kv_heads, int head_dim, int rows, int gradient_stride, float scale) {
    constexpr int kWarps = Held / 16, kBlock = 32 * kWarps * Parts, kWidth = D / Parts;
    // A whole warp brings the numbers of a tile, at most 32 rows: no lane is apart.
    constexpr int kNumbers = 32;
    static_assert(Walked <= kNumbers, "a warp brings the numbers of a tile");
    constexpr int kHeldTile = Terms * Held * D / 8, kWalkedTile = Terms * Walked * D / 8;
    int first, length, row0;
    if (!find_tile<Held>(starts, sequences, first, length, row0)) return;
    int group = query_heads / kv_heads, kv = Keys ? block_y() : block_y() / group;
    s64 pitch = static_cast<s64>(query_heads + 2 * kv_heads) * D, output_pitch = static_cast<s64>(query_heads) * D;
    const u16* queries = qkv + first * pitch;
    const u16* keys = queries + (query_heads + kv) * D;
    const u16* values = keys + kv_heads * D;
    const u16* gradients = output_gradient + first * output_pitch;

    uint4 *x = shared, *x2 = x + kHeldTile, *y = x2 + kHeldTile;
    float2* numbers = reinterpret_cast<float2*>(y + Stages * 2 * kWalkedTile);
    if constexpr (Keys) {
        fetch_tile<D, Held, Terms, kBlock>(x, keys + row0 * pitch, qkv_plane, pitch, length - row0);
        fetch_tile<D, Held, Terms, kBlock>(x2, values + row0 * pitch, qkv_plane, pitch, length - row0);
    } else {
        int head = block_y();
        fetch_tile<D, Held, Terms, kBlock>(x, queries + row0 * pitch + head * D, qkv_plane, pitch, length - row0);
        fetch_tile<D, Held, Terms, kBlock>(x2, gradients + row0 * output_pitch + head * D, output_plane, output_pitch,
                                           length - row0);
    }

    // Rows walked: queries from the tile of the first key on, once for each head of the group; or keys up to the last
    // query.
    int begin = Keys ? row0 / Walked * Walked : 0, end = Keys ? length : min_of(row0 + Held, length);
    int tiles = (end - begin + Walked - 1) / Walked, rounds = Keys ? tiles * group : tiles;
    int fetch_row = begin, fetch_head = Keys ? kv * group : 0, fetched = 0;
    auto fetch_next = [&] {
        if (fetched < rounds) {
            int stage = Stages == 1 ? 0 : fetched & 1;
            uint4* to = y + stage * 2 * kWalkedTile;
            if constexpr (Keys) {
                fetch_tile<D, Walked, Terms, kBlock>(to, queries + fetch_row * pitch + fetch_head * D, qkv_plane, pitch,
                                                     length - fetch_row);
                fetch_tile<D, Walked, Terms, kBlock>(to + kWalkedTile,
                                                     gradients + fetch_row * output_pitch + fetch_head * D,
                                                     output_plane, output_pitch, length - fetch_row);
                // Behind the end the numbers of the last query stand in: those rows are masked.
                if (warp_id() == 0)
                    numbers[stage * kNumbers + lane_id()] = statistics[static_cast<s64>(fetch_head) * rows + first +
                                                                       min_of(fetch_row + lane_id(), length - 1)];
            } else {
                fetch_tile<D, Walked, Terms, kBlock>(to, keys + fetch_row * pitch, qkv_plane, pitch,
                                                     length - fetch_row);
                fetch_tile<D, Walked, Terms, kBlock>(to + kWalkedTile, values + fetch_row * pitch, qkv_plane, pitch,
                                                     length - fetch_row);
            }
            fetch_row += Walked;
            if (Keys && fetch_row >= end) {
                fetch_row = begin;
                fetch_head++;
            }
            fetched++;
        }
        copy_async_commit();
    };

    int warp_row = (warp_id() % kWarps) * 16, column0 = (warp_id() / kWarps) * kWidth;
    int held = row0 + warp_row + (lane_id() >> 2);
    float2 own[2] = {};
    if constexpr (!Keys) {
        FARM_UNROLL
        for (int half = 0; half < 2; half++)
            own[half] = statistics[static_cast<s64>(block_y()) * rows + first + min_of(held + half * 8, length - 1)];
    }
    float sum[kWidth / 8][4] = {}, sum2[Keys ? kWidth / 8 : 1][4] = {};
    fetch_next();
    int walk = begin;
    FARM_NO_UNROLL
    for (int round = 0; round < rounds; round++) {
        if constexpr (Stages == 2) {
            fetch_next();
            copy_async_wait<1>();
        } else {
            copy_async_wait<0>();
        }
        block_barrier();
        int stage = Stages == 1 ? 0 : round & 1;
        const uint4 *rows_walked = y + stage * 2 * kWalkedTile, *rows_walked2 = rows_walked + kWalkedTile;
        float s[Walked / 8][4] = {}, d[Walked / 8][4] = {};
        scores<D, Held, Walked, Terms>(s, x, warp_row, rows_walked);
        scores<D, Held, Walked, Terms>(d, x2, warp_row, rows_walked2);
        // Where some key of the tile lies behind some query, or a query behind the end.
        bool masked = Keys ? walk < row0 + Held - 1 || walk + Walked > length : walk + Walked - 1 > row0;
        FARM_UNROLL
        for (int j = 0; j < Walked / 8; j++) {
            FARM_UNROLL
            for (int i = 0; i < 4; i++) {
                int column = j * 8 + (lane_id() & 3) * 2 + (i & 1), walked = walk + column, mine = held + (i / 2) * 8;
                float2 n = Keys ? numbers[stage * kNumbers + column] : own[i / 2];
                // Without branches, so that no lane is apart when the next fragments are loaded.
                bool seen = !masked | (Keys ? (mine <= walked) & (walked < length) : walked <= mine);
                float p = exponential<Terms>(seen ? fma(s[j][i], scale, -n.x) : kNoMaximum);
                s[j][i] = p;
                d[j][i] = p * (d[j][i] - n.y) * scale;
            }
        }
        if constexpr (Keys) {
            u32 p[Terms][Walked / 16][4];
            to_operand<Terms, Walked>(s, p);
            accumulate<D, kWidth, Walked, Terms>(sum2, p, rows_walked2, column0);
        }
        u32 ds[Terms][Walked / 16][4];
        to_operand<Terms, Walked>(d, ds);
        accumulate<D, kWidth, Walked, Terms>(sum, ds, rows_walked, column0);
        block_barrier();
        if constexpr (Stages == 1) fetch_next();
        walk += Walked;
        if (Keys && walk >= end) walk = begin;
    }
    copy_async_wait<0>();
    float* to = gradient + static_cast<s64>(first) * gradient_stride;
    int head = Keys ? query_heads + kv : block_y();
    store_rows<kWidth>(sum, to + head * head_dim, gradient_stride, row0 + warp_row, length, column0, head_dim);
    if constexpr (Keys)
        store_rows<kWidth>(sum2, to + (head + kv_heads) * head_dim, gradient_stride, row0 + warp_row, length, column0,
                           head_dim);
}

#define FARM_BACKWARD(name, keys, d, held, walked, stages, terms, parts)                                    \
    FARM_KERNEL(held * 2 * parts)                                                                           \
    name(const u16* qkv, const u16* output_gradient, const float2* __restrict__ statistics,                 \
         const int* __restrict__ starts, float* gradient, s64 qkv_plane, s64 output_plane, int sequences,   \
         int query_heads, int kv_heads, int head_dim, int rows, int gradient_stride, float scale) {         \
        extern __shared__ uint4 shared[];                                                                   \
        backward<keys, d, held, walked, stages, terms, parts>(                                              \
            shared, qkv, output_gradient, statistics, starts, gradient, qkv_plane, output_plane, sequences, \
            query_heads, kv_heads, head_dim, rows, gradient_stride, scale);                                 \
    }
FARM_BACKWARD(attention_keys_bf16_64, true, 64, 64, 32, 2, 1, 1)
FARM_BACKWARD(attention_keys_bf16_128, true, 128, 64, 32, 2, 1, 1)
FARM_BACKWARD(attention_keys_bf16_256, true, 256, 64, 32, 2, 1, 2)
FARM_BACKWARD(attention_keys_f32_64, true, 64, 32, 32, 1, 3, 1)
FARM_BACKWARD(attention_keys_f32_128, true, 128, 32, 32, 1, 3, 1)
FARM_BACKWARD(attention_keys_f32_256, true, 256, 32, 16, 1, 3, 2)
FARM_BACKWARD(attention_queries_bf16_64, false, 64, 64, 32, 2, 1, 1)
FARM_BACKWARD(attention_queries_bf16_128, false, 128, 64, 32, 2, 1, 1)
FARM_BACKWARD(attention_queries_bf16_256, false, 256, 64, 32, 2, 1, 2)
FARM_BACKWARD(attention_queries_f32_64, false, 64, 32, 32, 1, 3, 1)
FARM_BACKWARD(attention_queries_f32_128, false, 128, 32, 32, 1, 3, 1)
FARM_BACKWARD(attention_queries_f32_256, false, 256, 32, 16, 1, 3, 2)
