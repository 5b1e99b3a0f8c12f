// How the rows of a dense product come into its order: in the product's own launch, once, before its tiles.
//
// Every tile of 128 columns reads all rows, so that what is done to a row (the norm's weight, terms of bf16, bytes and
// their scales) would be done columns / 128 times if each block did it for itself. A warp would prepare one row tile of
// its block's eight; counted for 64 features of a tile of 128 x 128, and a norm:
//                                                   bf16, 3 terms   bf16, 1 term   int8
//   instructions of a warp: product | preparing       594 | 499      390 | 267      627 | 469
//   cycles of the tensor cores on an A100             3,072          1,024          512
//   KB of L2: prepared rows | float32                 64 | 48        32 | 48        17 | 41
// Four schedulers issue two warps' instructions each, so that preparing in every block would cost 84, 68 and 75 % more
// of them, and all but the first would ask L2, which bounds them on paper, for 1.5 and 2.4 times the bytes. A kernel
// before the product does it once, but is a launch. So the blocks that start first prepare the rows together, and every
// block waits until all rows are ready.
//
//   A job is 16 rows by a part of K, done by one warp; a job for each warp of a block is a lot. A block takes lots, one
//   after the other, from a counter until there are none left, and only then waits for those that others took. Whoever
//   has taken a lot has started and finishes it without waiting for anybody, so that the wait ends on any number of
//   multiprocessors, with blocks started in any order, or one after another.
//   Writers fence before they count a lot as done, and the waiting thread fences after it has seen all of them; what
//   was prepared is then read by cp.async.cg, which goes to L2, or by plain loads after the block's barrier.
//
// Which block prepares a row changes no bit. With a norm, parts are the segments of linear_common.cuh and a job leaves
// its rows' sums of squares, by the lanes and in the order of the skinny kernels.
//   bytes   per row and feature: 4 read and what is prepared written, both once in a launch
//   time    a lot is K / 64 / parts units of 4 KB for each warp, the next unit in flight: for K = 4,096 and a norm 8
//           units, about 6,000 cycles if a unit takes the latency of memory; then two atomics, a load and a fence for
//           each block, with the first weights under way
#pragma once
#include "linear_common.cuh"

struct Rows {
    const float* x;
    int stride, rows, features, units;
    const float* norm;  // or null
    bool aligned;
    int parts;
    float* squares;  // [kSegments][16 tiles of rows], with a norm
};
FARM_DEVICE int padded_rows(int rows) {
    return ceil_div(rows, 16) * 16;
}

// The job of a warp. take(tile, unit, v) gets features 32 j + 8 t .. + 7 of the unit of rows g and g + 8 as v[0][j] and
// v[1][j], times the norm's weight; rows behind the last are the last one again.
template <class Take>
FARM_DEVICE void prepare(const Rows& r, int job, Take take) {
    int lane = lane_id(), g = lane / 4, t = lane % 4, tile = job / r.parts, part = job % r.parts;
    int begin = part * r.units / r.parts, end = (part + 1) * r.units / r.parts;
    const float* row[2];
    FARM_UNROLL
    for (int half = 0; half < 2; half++)
        row[half] = r.x + static_cast<s64>(min_of(tile * 16 + g + 8 * half, r.rows - 1)) * r.stride;
    float next[2][2][8] = {}, squares[2] = {};
    auto load = [&](int unit) {
        FARM_UNROLL
        for (int half = 0; half < 2; half++) FARM_UNROLL
        for (int j = 0; j < 2; j++)
            load_octet(row[half], unit * kUnit + 32 * j + 8 * t, r.features, r.aligned, next[half][j]);
    };
    if (begin < end) load(begin);
    FARM_NO_UNROLL
    for (int unit = begin; unit < end; unit++) {
        float v[2][2][8];
        FARM_UNROLL
        for (int half = 0; half < 2; half++) FARM_UNROLL
        for (int j = 0; j < 2; j++) FARM_UNROLL
        for (int i = 0; i < 8; i++) v[half][j][i] = next[half][j][i];
        if (unit + 1 < end) load(unit + 1);
        if (r.norm != nullptr) FARM_UNROLL
        for (int j = 0; j < 2; j++) {
            float gain[8];
            load_octet(r.norm, unit * kUnit + 32 * j + 8 * t, r.features, r.aligned, gain);
            FARM_UNROLL
            for (int half = 0; half < 2; half++) {
                squares[half] = add_squares(v[half][j], squares[half]);
                FARM_UNROLL
                for (int i = 0; i < 8; i++) v[half][j][i] *= gain[i];
            }
        }
        take(tile, unit, v);
    }
    if (r.norm != nullptr) FARM_UNROLL
    for (int half = 0; half < 2; half++) {
        warp_barrier();
        float sum = warp_sum<4>(squares[half]);
        if (t == 0) r.squares[part * padded_rows(r.rows) + tile * 16 + g + 8 * half] = sum;
    }
}

// Three counters of the backend's, 0 between launches: lots taken, lots done, blocks that need them no more.
struct Meeting {
    u32* counters;
    int lots;
};

// Does the jobs together with the other blocks; do_job(job) is what one warp does. `word` is of shared memory that
// nothing else uses meanwhile. All threads come, and leave with every row of the launch prepared.
template <int Warps, class Job>
FARM_DEVICE void meet(const Meeting& m, int jobs, u32* word, Job do_job) {
    u32 lots = static_cast<u32>(m.lots);
    for (;;) {
        if (thread_x() == 0) *word = atomic_add(m.counters, 1);
        block_barrier();
        u32 lot = *word;
        if (lot >= lots) break;
        int job = static_cast<int>(lot) * Warps + warp_id();
        if (job < jobs) do_job(job);
        block_barrier();
        if (thread_x() == 0) {
            device_fence();
            atomic_add(m.counters + 1, 1);
        }
    }
    if (thread_x() == 0) {
        while (poll(m.counters + 1) < lots) {
        }
        device_fence();
    }
    block_barrier();
}
// At the end of every block that met: the last one leaves the counters as it found them.
FARM_DEVICE void leave(const Meeting& m) {
    if (thread_x() != 0 || atomic_add(m.counters + 2, 1) + 1 < static_cast<u32>(blocks_x() * blocks_y())) return;
    FARM_UNROLL
    for (int i = 0; i < 3; i++) m.counters[i] = 0;
}

// The factors of the norm of a block's rows, into shared memory that nothing reads any more; threads meet before the
// factors are read. Segments are added in order, those without a unit too: they hold 0.
template <int Count>
FARM_DEVICE void row_factors(const Rows& r, int first_row, float epsilon, float* factors) {
    if (thread_x() >= Count) return;
    int padded = padded_rows(r.rows), row = min_of(first_row + thread_x(), padded - 1);
    float sum = 0.0f;
    FARM_UNROLL
    for (int s = 0; s < kSegments; s++) sum += r.squares[s * padded + row];
    factors[thread_x()] = rms_factor(sum, r.features, epsilon);
}

// Segments of sums whose ends a loop over units or parts of them passes; those without a unit add nothing and are
// passed over.
struct SegmentEnds {
    int units, segment = 0, end = 0;
};
FARM_DEVICE void next_segment(SegmentEnds& s) {
    int before = s.end;
    while (s.segment < kSegments && s.end == before) s.end = segment_of(s.segment++, s.units).end;
}

// A warp's sums of 64 rows by 32 columns, as the tensor cores leave them: [16 rows][8 columns][four of a lane].
using Sums = float[4][4][4];

// The end of a segment: its sums go to those of the rows so far.
FARM_DEVICE void flush(Sums& segment, Sums& total) {
    FARM_UNROLL
    for (int m = 0; m < 4; m++) FARM_UNROLL
    for (int n = 0; n < 4; n++) FARM_UNROLL
    for (int i = 0; i < 4; i++) {
        total[m][n][i] += segment[m][n][i];
        segment[m][n][i] = 0.0f;
    }
}

// The epilogue of a warp, whose rows begin `first` below the block's first row, and its columns with tile `tile`.
// `factors` of the block's rows count where `scaled`.
FARM_DEVICE void finish_sums(const Epilogue& e, const Sums& total, int block_row, int first, int tile, bool scaled,
                             const float* factors, bool gate_up) {
    int g = lane_id() / 4, t = lane_id() % 4;
    FARM_UNROLL
    for (int m = 0; m < 4; m++) FARM_UNROLL
    for (int half = 0; half < 2; half++) {
        int local = first + m * 16 + g + 8 * half, row = block_row + local;
        if (row >= e.rows) continue;
        float factor = scaled ? factors[local] : 1.0f;
        FARM_UNROLL
        for (int n = 0; n < 4; n++) FARM_UNROLL
        for (int i = 0; i < 2; i++)
            finish_tiles(e, row, tile + n, 2 * t + i, total[m][n][2 * half + i], total[m][n | 1][2 * half + i], scaled,
                         factor, gate_up);
    }
}
