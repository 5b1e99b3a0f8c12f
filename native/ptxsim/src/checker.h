// Shadow of shared memory: who wrote and read each cell, and how that is ordered by barriers.
#pragma once
#include <vector>

#include "lanes.h"

namespace ptxsim {

struct Warp;
struct Inst;
struct Cta;

/// A warp's time, and how much of every other warp's time it has synchronised with. Times never restart, so that what
/// an earlier CTA left in the shadow is older than everything.
struct WarpClock {
    u32 now = 0;
    u32 seen[32] = {};
};

class SharedShadow {
  public:
    void begin_cta(u32 shared_bytes, u32 granule, Warp* warps, u32 count);
    void end_cta(const Warp* warps, u32 count);
    void read(const Warp& w, const Inst* i, u32 lane, u32 offset, u32 bytes);
    /// `value` is what will be stored: writing what is there already races with nobody who does the same.
    void write(const Warp& w, const Inst* i, u32 lane, u32 offset, u32 bytes, const u8* value);
    void atomic(const Warp& w, const Inst* i, u32 lane, u32 offset, u32 bytes);
    void async_issue(const Warp& w, const Inst* i, u32 lane, u32 offset, u32 bytes);
    void async_complete(const Warp& w, u32 lane, u32 offset, u32 bytes);
    /// Everybody in the mask of warps has met at a barrier.
    static void synchronise(Warp* warps, u64 mask);
    /// bar.warp.sync: the lanes of one warp see each other's accesses.
    static void synchronise_warp(Warp& w);

  private:
    struct Cell {
        u32 written = 0, read = 0;   // times; 0 is before everything
        u16 writer = 0, reader = 0;  // thread, with the flags below
        u16 write_pc = 0, read_pc = 0;
    };

    static bool ordered(const Warp& w, u32 lane, u32 thread, u32 time);
    bool reader_ordered(const Warp& w, u32 lane, const Cell& cell) const;
    [[noreturn]] void race(const Warp& w, const Inst* i, u32 lane, const Cell& cell, const char* name, const char* verb,
                           u32 bytes, u32 offset, bool against_read) const;
    [[noreturn]] void in_flight(const Warp& w, const Inst* i, u32 lane, const Cell& cell, const char* verb, u32 bytes,
                                u32 offset) const;
    void check_write(const Warp& w, const Inst* i, u32 lane, u32 offset, u32 bytes, const u8* value, u16 flags);

    std::vector<Cell> cells_;
    u32 granule_ = 4, shift_ = 2;
    u32 base_ = 1;  // first time of the current CTA
    u32 last_ = 1;  // highest time given out
};

}  // namespace ptxsim
