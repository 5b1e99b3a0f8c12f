// Attention of the samples of a prompt in one launch and without partial results: a block takes rows (samples x query
// heads of a key/value head) through the prompt's keys and then through the samples' own. Pages of bf16 keys and values
// on the tensor cores; spans, folds and so every bit of the result as in attention.cu.
//
// A block of W warps takes 16 T rows. Its warps form W / T teams of T: a team's warps have 16 rows each and share the
// keys that the team copies, the teams have the same rows and take the spans of the prompt in turn. A sample's own
// keys, which 16 rows at most share in decoding, are walked by single warps. Results are folded into the totals of the
// rows one after the other, in the order of the keys. T follows from the number of prompts in flight (AttentionTable):
// with few, T = 1, all warps of a block on the same 16 rows, so that many blocks and warps work at a prompt; with many,
// T = 4 or 8, so that a prompt is copied once for 64 or 128 rows.
//   bytes   keys and values once, or, of the L2 cache, once for each 16 T rows; queries and outputs once
//   flops   4 dim rows keys, times Terms
//   shared  a team's keys and values pass through two places of 16 T (at most 64) keys each: at D = 128 8.7 KB for each
//           warp, half of it at T = 8; queries as terms of bf16 (12 KB for 16 rows of three terms), as float32 where
//           there are 64 rows or more (8 KB); totals 64 D bytes for each row tile. At D = 128, three terms: 91 KB at
//           T = 1, 77 KB at 2, 100 KB at 4 and 166 KB at 8. No bank conflicts
//   registers (expected)  D = 128: 64 output sums, 32 scores, about 200 in all
#pragma once
#include "attention_common.cuh"
#include "attention_tiles.cuh"

constexpr int kItem = 12, kSequence = 8;  // words

// Where keys and values are: of a key/value head, in pages.
struct Pool {
    const u16* keys;
    const int* pages;
    s64 page_stride, value_offset;
    int pitch;
};

// What a warp knows of its 16 rows, in the layout of the accumulators: of rows g and g + 8 the running maximum, sum and
// outputs of a span.
template <int D>
struct Span {
    float out[D / 8][4];
    float maximum[2], sum[2];
};
template <int D>
FARM_DEVICE void clear(Span<D>& span) {
    FARM_UNROLL
    for (int n = 0; n < D / 8; n++) FARM_UNROLL
    for (int i = 0; i < 4; i++) span.out[n][i] = 0.0f;
    FARM_UNROLL
    for (int i = 0; i < 2; i++) span.maximum[i] = kNoMaximum, span.sum[i] = 0.0f;
}

// A left fragment of the queries, columns 16 k and up: as terms, or float32 to be split.
template <int Terms, bool Packed>
FARM_DEVICE void load_query(u32 (&a)[Terms][4], const u32* query, int k) {
    if constexpr (Packed) {
        FARM_UNROLL
        for (int i = 0; i < Terms; i++) {
            uint4 q = load4(query + (k * Terms + i) * 128);
            a[i][0] = q.x, a[i][1] = q.y, a[i][2] = q.z, a[i][3] = q.w;
        }
    } else {
        FARM_UNROLL
        for (int half = 0; half < 2; half++) {
            uint4 q = load4(query + (2 * k + half) * 128);
            u32 row[2][Terms];
            bf16_split<Terms>(float_of(q.x), float_of(q.y), row[0]);
            bf16_split<Terms>(float_of(q.z), float_of(q.w), row[1]);
            FARM_UNROLL
            for (int i = 0; i < Terms; i++) a[i][2 * half] = row[0][i], a[i][2 * half + 1] = row[1][i];
        }
    }
}

// Takes a team of T warps through the keys begin .. end - 1 of a prefix or suffix of `length` keys, from page
// `page_start` of the list. Keys and values pass through Slots places; the copies of the next ones run while one is
// used. After `span` keys, other than the last, `fold_in` is called, which clears the span.
template <int D, int T, int Slots, int Terms, bool Packed, class Barrier, class FoldIn>
FARM_DEVICE void walk(u16* tiles, const u32* query, const Pool& pool, int page_start, int begin, int end, int length,
                      const int (&limit)[2], float factor, int span_keys, bool active, int thread, Span<D>& span,
                      const Barrier& barrier, const FoldIn& fold_in) {
    constexpr int kRows = T < 4 ? 16 * T : kKeys, kParts = kKeys / kRows, kSlot = kRows * (D + 8);
    int lane = lane_id(), t = lane % 4, blocks = (end - begin + kKeys - 1) / kKeys, folding = span_keys / kKeys;
    auto address = [&](int block) {
        int key = begin + block * kKeys;
        return pool.keys + pool.pages[page_start + key / kPage] * pool.page_stride +
               static_cast<s64>(key % kPage) * pool.pitch;
    };
    // Copies place i of a block: its keys in kParts parts, then its values.
    auto copy = [&](const u16* block, int left, int i) {
        const u16* from = block + (i < kParts ? 0 : pool.value_offset) + i % kParts * kRows * pool.pitch;
        copy_tile<D, T, kRows>(tiles + i % Slots * kSlot, from, pool.pitch, left - i % kParts * kRows, thread);
    };
    if (blocks <= 0) return;
    const u16* here = address(0);
    FARM_UNROLL
    for (int i = 0; i < Slots; i++) copy(here, length - begin, i);

    FARM_NO_UNROLL
    for (int block = 0; block < blocks; block++) {
        int first = begin + block * kKeys;
        bool more = block + 1 < blocks;
        const u16* next = more ? address(block + 1) : here;
        auto copy_ahead = [&](int i) {
            if (i < 2 * kParts)
                copy(here, length - first, i);
            else if (more)
                copy(next, length - first - kKeys, i - 2 * kParts);
            else
                copy_async_commit();
        };

        float s[kKeys / 8][4] = {};
        FARM_UNROLL
        for (int part = 0; part < kParts; part++) {
            copy_async_wait<Slots - 1>();
            barrier();
            const u16* keys = tiles + part % Slots * kSlot;
            if (active) FARM_UNROLL
            for (int k = 0; k < D / 16; k++) {
                u32 a[Terms][4];
                load_query<Terms, Packed>(a, query, k);
                FARM_UNROLL
                for (int n = 0; n < kRows / 8; n += 2) {
                    u32 b[4];
                    load_matrix_x4(b, keys + place<D>(n * 8 + lane / 16 * 8 + lane % 8, k * 16 + lane / 8 % 2 * 8));
                    FARM_UNROLL
                    for (int i = 0; i < Terms; i++) {
                        mma_bf16(s[part * (kRows / 8) + n], a[i], b[0], b[1]);
                        mma_bf16(s[part * (kRows / 8) + n + 1], a[i], b[2], b[3]);
                    }
                }
            }
            barrier();
            copy_ahead(part + Slots);
        }

        if (active) {
            take_scores<D>(s, first + 2 * t, limit, factor, span.maximum, span.sum, span.out);
        }

        FARM_UNROLL
        for (int part = 0; part < kParts; part++) {
            copy_async_wait<Slots - 1>();
            barrier();
            const u16* values = tiles + (kParts + part) % Slots * kSlot;
            if (active) FARM_UNROLL
            for (int j = 0; j < kRows / 16; j++) {
                constexpr int kPairs = kRows / 16;
                int at = 2 * (part * kPairs + j);
                u32 a[Terms][4];
                FARM_UNROLL
                for (int i = 0; i < 4; i++) {
                    u32 p[Terms];
                    bf16_split<Terms>(s[at + i / 2][i % 2 * 2], s[at + i / 2][i % 2 * 2 + 1], p);
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
                        mma_bf16(span.out[n], a[i], b[0], b[1]);
                        mma_bf16(span.out[n + 1], a[i], b[2], b[3]);
                    }
                }
            }
            barrier();
            copy_ahead(kParts + part + Slots);
        }
        if (more && (block + 1) % folding == 0) fold_in();
        here = next;
    }
    copy_async_wait<0>();
}

template <int D, int W, int T, int Terms>
FARM_DEVICE void attention_group(u8* shared, const float* queries, int query_stride, Pool pool, const int* items,
                                 const int* sequences, int group, int dim, float scale, float* output,
                                 int output_stride) {
    // Teams; rows of their tiles; whether queries lie as terms; places of a single warp's keys.
    constexpr int kTeams = W / T, kRows = T < 4 ? 16 * T : kKeys, kOwnSlots = T == 8 ? 1 : 2;
    constexpr bool kPacked = Terms == 1 || T < 4;
    constexpr int kQuery = (D / 16) * 128 * (kPacked ? Terms : 2), kTotal = (D / 8 + (kTeams > 1 ? 1 : 0)) * 128;
    int lane = lane_id(), warp = warp_id(), g = lane / 4, t = lane % 4, team = warp / T, tile = warp % T;
    const int* item = items + static_cast<s64>(block_x()) * kItem;
    int page_start = item[0], prefix = item[1], first_sequence = item[2], end_sequence = item[3], first_token = item[4],
        first_row = item[5] + 16 * tile, rows = item[6], span_keys = item[7], head = block_y();
    pool.keys += static_cast<s64>(head) * kPage * pool.pitch;

    u16* tiles = reinterpret_cast<u16*>(shared);
    u16* team_tiles = tiles + team * 2 * kRows * (D + 8);
    u16* own_tiles = tiles + warp * kOwnSlots * 16 * (D + 8);
    u32* query = reinterpret_cast<u32*>(tiles + kTeams * 2 * kRows * (D + 8)) + tile * kQuery + lane * 4;
    float* total = reinterpret_cast<float*>(reinterpret_cast<u32*>(tiles + kTeams * 2 * kRows * (D + 8)) + T * kQuery) +
                   tile * kTotal + lane * 4;

    int row[2], token[2], query_head[2];
    bool valid[2];
    FARM_UNROLL
    for (int i = 0; i < 2; i++) {
        row[i] = first_row + g + 8 * i;
        valid[i] = row[i] < rows;
        int in_group = min_of(row[i], rows - 1) / group;
        token[i] = first_token + in_group;
        query_head[i] = head * group + min_of(row[i], rows - 1) - in_group * group;
    }
    bool active = first_row < rows;
    int end_row = min_of(first_row + 16, rows);

    // The teams have the same rows and share their queries.
    FARM_UNROLL
    for (int j = 0; j < ceil_div(D / 16, kTeams); j++) {
        int k = j * kTeams + team;
        float q[4][2];
        FARM_UNROLL
        for (int i = 0; i < 4; i++) {
            int column = k * 16 + 2 * t + 8 * (i / 2);
            const float* from = queries + static_cast<s64>(token[i % 2]) * query_stride + query_head[i % 2] * dim;
            bool inside = column < dim;  // dim is even
            q[i][0] = inside ? from[column] : 0.0f;
            q[i][1] = inside ? from[column + 1] : 0.0f;
        }
        if (k >= D / 16) continue;
        if constexpr (kPacked) {
            u32 a[4][Terms];
            FARM_UNROLL
            for (int i = 0; i < 4; i++) bf16_split<Terms>(q[i][0], q[i][1], a[i]);
            FARM_UNROLL
            for (int i = 0; i < Terms; i++)
                store4(query + (k * Terms + i) * 128, uint4{a[0][i], a[1][i], a[2][i], a[3][i]});
        } else {
            FARM_UNROLL
            for (int i = 0; i < 2; i++)
                store4(query + (2 * k + i) * 128, uint4{bits_of(q[2 * i][0]), bits_of(q[2 * i][1]),
                                                        bits_of(q[2 * i + 1][0]), bits_of(q[2 * i + 1][1])});
        }
    }

    // Totals of the rows: outputs as fragments, then of rows g and g + 8 the maximum and the sum, which a single team
    // keeps in registers.
    float4 statistics = {kNoMaximum, kNoMaximum, 0.0f, 0.0f};
    if (team == 0) {
        FARM_UNROLL
        for (int n = 0; n < D / 8; n++) store4(total + n * 128, float4{0.0f, 0.0f, 0.0f, 0.0f});
        if constexpr (kTeams > 1) store4(total + (D / 8) * 128, statistics);
    }
    block_barrier();

    Span<D> span;
    clear(span);
    auto fold_in = [&] {
        if constexpr (kTeams > 1) statistics = load4(total + (D / 8) * 128);
        Fold f[2];
        FARM_UNROLL
        for (int i = 0; i < 2; i++) {
            f[i] = fold(i == 0 ? statistics.x : statistics.y, span.maximum[i]);
            float sum = folded(f[i], i == 0 ? statistics.z : statistics.w, warp_sum<4>(span.sum[i]));
            if (i == 0)
                statistics.x = f[i].maximum, statistics.z = sum;
            else
                statistics.y = f[i].maximum, statistics.w = sum;
        }
        if constexpr (kTeams > 1) store4(total + (D / 8) * 128, statistics);
        FARM_UNROLL
        for (int n = 0; n < D / 8; n++) {
            float4 before = load4(total + n * 128);
            store4(total + n * 128,
                   float4{folded(f[0], before.x, span.out[n][0]), folded(f[0], before.y, span.out[n][1]),
                          folded(f[1], before.z, span.out[n][2]), folded(f[1], before.w, span.out[n][3])});
        }
        clear(span);
    };
    auto nothing = [] {};
    auto own_barrier = [] { warp_barrier(); };
    // The warps that have the same rows fold their spans in one after the other.
    auto fold_in_turn = [&](int spans) {
        FARM_NO_UNROLL
        for (int turn = 0; turn < spans; turn++) {
            if (turn == team && active) fold_in();
            if constexpr (T == 1)
                block_barrier();
            else
                barrier_of(1 + kTeams + tile, 32 * kTeams);
        }
    };

    float factor = scale * kLog2E;
    if constexpr (T > 1) {
        int everything[2] = {valid[0] ? prefix : 0, valid[1] ? prefix : 0};
        int team_thread = thread_x() - team * 32 * T;
        auto team_barrier = [&] {
            if constexpr (T == W)
                block_barrier();
            else
                barrier_of(1 + team, 32 * T);
        };
        FARM_NO_UNROLL
        for (int first = 0; first < prefix; first += kTeams * span_keys) {
            // A single team walks through all spans in one go.
            int begin = kTeams == 1 ? 0 : first + team * span_keys;
            int end = kTeams == 1 ? prefix : min_of(begin + span_keys, prefix);
            walk<D, T, 2, Terms, kPacked>(team_tiles, query, pool, page_start, begin, end, prefix, everything, factor,
                                          span_keys, active, team_thread, span, team_barrier, [&] {
                                              if constexpr (kTeams == 1)
                                                  if (active) fold_in();
                                          });
            if constexpr (kTeams == 1) {
                if (active) fold_in();
                break;
            } else {
                fold_in_turn(min_of(kTeams, ceil_div(prefix - first, span_keys)));
            }
        }
    }

    // Each sequence that has rows in the tile, a span at a time for one of the teams; where these are single warps, the
    // prompt comes before them in the same rounds.
    int sequence = T == 1 ? first_sequence - 1 : first_sequence, begin = 0;
    FARM_NO_UNROLL
    for (;;) {
        int mine[5] = {};  // page_start, begin, end, length, base of the limits
        int sequence_rows[2] = {};
        int found = 0;
        while (sequence < end_sequence && found < kTeams) {
            int of[5] = {page_start, prefix, 0, rows, prefix};
            if (sequence >= first_sequence) FARM_UNROLL
            for (int i = 0; i < 5; i++) of[i] = sequences[static_cast<s64>(sequence) * kSequence + i];
            int from = max_of(of[2], first_row), to = min_of(of[3], end_row);
            // The last of its rows here sees the most keys.
            int seen = from < to ? min_of(of[1], of[4] + (to - 1) / group) : 0;
            if (begin >= seen) {
                sequence++;
                begin = 0;
                continue;
            }
            int end = kTeams == 1 ? seen : min_of(begin + span_keys, seen);
            if (found == team) {
                mine[0] = of[0], mine[1] = begin, mine[2] = end, mine[3] = of[1], mine[4] = of[4];
                sequence_rows[0] = from, sequence_rows[1] = to;
            }
            begin = end;
            found++;
        }
        if (found == 0) break;
        int limit[2];
        FARM_UNROLL
        for (int i = 0; i < 2; i++)
            limit[i] =
                row[i] >= sequence_rows[0] && row[i] < sequence_rows[1] ? min_of(mine[3], mine[4] + row[i] / group) : 0;
        if constexpr (kTeams == 1) {
            walk<D, 1, kOwnSlots, Terms, kPacked>(own_tiles, query, pool, mine[0], mine[1], mine[2], mine[3], limit,
                                                  factor, span_keys, true, lane, span, own_barrier, fold_in);
            fold_in();
        } else {
            walk<D, 1, kOwnSlots, Terms, kPacked>(own_tiles, query, pool, mine[0], mine[1], mine[2], mine[3], limit,
                                                  factor, span_keys, true, lane, span, own_barrier, nothing);
            fold_in_turn(found);
        }
    }

    if constexpr (kTeams > 1) statistics = computed(load4(total + (D / 8) * 128));
    float divisor[2] = {1.0f / statistics.z, 1.0f / statistics.w};
    FARM_UNROLL
    for (int j = 0; j < ceil_div(D / 8, kTeams); j++) {
        int n = j * kTeams + team, column = n * 8 + 2 * t;
        if (n >= D / 8 || column >= dim) continue;
        float4 v = computed(load4(total + n * 128));
        FARM_UNROLL
        for (int i = 0; i < 2; i++) {
            if (!valid[i]) continue;
            float* at = output + static_cast<s64>(token[i]) * output_stride + query_head[i] * dim + column;
            at[0] = (i == 0 ? v.x : v.z) * divisor[i];
            at[1] = (i == 0 ? v.y : v.w) * divisor[i];
        }
    }
}

#define ATTENTION(NAME, D, W, T, TERMS)                                                                               \
    FARM_KERNEL(32 * W)                                                                                               \
    NAME(const float* __restrict__ queries, int query_stride, const u16* __restrict__ pool, s64 page_stride,          \
         s64 value_offset, int pitch, const int* __restrict__ items, const int* __restrict__ sequences,               \
         const int* __restrict__ pages, int group, int dim, float scale, float* output, int output_stride) {          \
        extern __shared__ __attribute__((aligned(128))) u8 shared[];                                                  \
        attention_group<D, W, T, TERMS>(shared, queries, query_stride,                                                \
                                        Pool{pool, pages, page_stride, value_offset, pitch}, items, sequences, group, \
                                        dim, scale, output, output_stride);                                           \
    }
