#include "checker.h"

#include <cstdlib>
#include <string>

#include "warp.h"

namespace ptxsim {

namespace {

constexpr u16 kThread = 0x03FF, kInFlight = 0x8000, kAtomic = 0x4000;  // writer
constexpr u16 kManyLanes = 0x8000, kManyWarps = 0x4000;                // reader

/// Readers of several warps: the first and the last of them, five bits each; those in between count as readers too.
u16 many_warps(u32 first, u32 last) {
    return (u16)(kManyWarps | first | last << 5);
}
u32 first_reader(u16 reader) {
    return reader & 31;
}
u32 last_reader(u16 reader) {
    return reader >> 5 & 31;
}

u16 short_pc(const Inst* i) {
    return (u16)std::min(i->pc, 0xFFFFu);
}

}  // namespace

void SharedShadow::begin_cta(u32 shared_bytes, u32 granule, Warp* warps, u32 count) {
    const size_t cells = (shared_bytes + granule - 1) / granule;
    if (granule != granule_ || cells > cells_.size() || last_ > 0xF0000000u) {
        cells_.assign(std::max(cells, cells_.size()), {});
        granule_ = granule;
        shift_ = (u32)std::countr_zero(granule);
        last_ = last_ > 0xF0000000u ? 1 : last_;
    }
    base_ = last_ + 1;
    for (u32 k = 0; k < count; k++) {
        warps[k].clock.now = base_;
        for (u32& seen : warps[k].clock.seen) {
            seen = base_ - 1;
        }
    }
    last_ = base_;
}

void SharedShadow::end_cta(const Warp* warps, u32 count) {
    for (u32 k = 0; k < count; k++) {
        last_ = std::max(last_, warps[k].clock.now);
    }
}

void SharedShadow::synchronise(Warp* warps, u64 mask) {
    u32 newest[32] = {};
    u32 now = 0;
    for (u64 rest = mask; rest != 0; rest &= rest - 1) {
        const Warp& w = warps[std::countr_zero(rest)];
        for (u32 k = 0; k < 32; k++) {
            newest[k] = std::max(newest[k], w.clock.seen[k]);
        }
        now = std::max(now, w.clock.now);
    }
    for (u64 rest = mask; rest != 0; rest &= rest - 1) {
        newest[std::countr_zero(rest)] = now;
    }
    for (u64 rest = mask; rest != 0; rest &= rest - 1) {
        WarpClock& clock = warps[std::countr_zero(rest)].clock;
        std::memcpy(clock.seen, newest, sizeof newest);
        // All that meet go on at one time: that makes times of a cell's many readers comparable.
        clock.now = now + 1;
    }
}

void SharedShadow::synchronise_warp(Warp& w) {
    w.clock.seen[w.index] = w.clock.now;
    w.clock.now++;
}

bool SharedShadow::ordered(const Warp& w, u32 lane, u32 thread, u32 time) {
    return thread == thread_of(w, lane) || time <= w.clock.seen[thread / kLanes];
}

bool SharedShadow::reader_ordered(const Warp& w, u32 lane, const Cell& cell) const {
    if (cell.read < base_) {
        return true;
    }
    if (cell.reader & kManyWarps) {
        // The newest of the reads, whoever did it: seen once every warp that may have read has been seen at that time.
        for (u32 k = first_reader(cell.reader); k <= last_reader(cell.reader); k++) {
            if (w.clock.seen[k] < cell.read) {
                return false;
            }
        }
        return true;
    }
    if (cell.reader & kManyLanes) {
        return cell.read <= w.clock.seen[(cell.reader & kThread) / kLanes];
    }
    return ordered(w, lane, cell.reader & kThread, cell.read);
}

void SharedShadow::race(const Warp& w, const Inst* i, u32 lane, const Cell& cell, const char* name, const char* verb,
                        u32 bytes, u32 offset, bool against_read) const {
    const Kernel& kernel = *w.cta->launch->kernel;
    const u16 other = against_read ? cell.reader : cell.writer;
    const u32 pc = against_read ? cell.read_pc : cell.write_pc;
    std::string text = std::string(verb) + " " + std::to_string(bytes) + " bytes of shared memory at offset " +
                       std::to_string(offset) + (against_read ? ", which " : ", which ");
    if (against_read && (other & kManyWarps)) {
        text += "threads of several warps have read";
    } else if (against_read && (other & kManyLanes)) {
        text += "several threads of warp " + std::to_string((other & kThread) / kLanes) + " have read";
    } else {
        text += thread_name(*w.cta, other & kThread) + (against_read ? " has read" : " has written");
    }
    text += " at " + kernel.where(std::min(pc, (u32)kernel.code.size() - 1)) + ", with no barrier in between";
    fault(w, i, lane, FaultKind::Hazard, name, text);
}

void SharedShadow::read(const Warp& w, const Inst* i, u32 lane, u32 offset, u32 bytes) {
    const u16 self = (u16)thread_of(w, lane);
    const u32 now = w.clock.now;
    const u16 pc = short_pc(i);
    const u32 end = (offset + bytes - 1) >> shift_;
    for (u32 at = offset >> shift_; at <= end; at++) {
        Cell& cell = cells_[at];
        if (cell.written < base_) [[unlikely]] {
            fault(w, i, lane, FaultKind::Hazard, "uninitialised-shared-read",
                  "reads " + std::to_string(bytes) + " bytes of shared memory at offset " + std::to_string(offset) +
                      ", of which the bytes at " + std::to_string(at << shift_) + " were never written in this CTA");
        }
        if (cell.writer & kInFlight) [[unlikely]] {
            in_flight(w, i, lane, cell, "reads", bytes, offset);
        }
        if (!ordered(w, lane, cell.writer & kThread, cell.written)) [[unlikely]] {
            race(w, i, lane, cell, "read-after-write-race", "reads", bytes, offset, false);
        }
        if (cell.read == now && cell.reader == self) {
            continue;
        }
        if (cell.reader == self || reader_ordered(w, lane, cell)) {
            cell.reader = self;
        } else if (cell.reader & kManyWarps) {
            cell.reader =
                many_warps(std::min(first_reader(cell.reader), w.index), std::max(last_reader(cell.reader), w.index));
        } else {
            const u32 other = (cell.reader & kThread) / kLanes;
            cell.reader = other == w.index ? (u16)((w.index * kLanes) | kManyLanes)
                                           : many_warps(std::min(other, w.index), std::max(other, w.index));
        }
        cell.read = cell.reader & kManyWarps ? std::max(cell.read, now) : now;
        cell.read_pc = pc;
    }
}

void SharedShadow::check_write(const Warp& w, const Inst* i, u32 lane, u32 offset, u32 bytes, const u8* value,
                               u16 flags) {
    const u16 self = (u16)thread_of(w, lane);
    const u16 pc = short_pc(i);
    const char* verb = flags & kAtomic ? "updates" : flags & kInFlight ? "copies to" : "writes";
    const u32 end = (offset + bytes - 1) >> shift_;
    for (u32 at = offset >> shift_; at <= end; at++) {
        Cell& cell = cells_[at];
        if (cell.written >= base_) {
            if (cell.writer & kInFlight) [[unlikely]] {
                in_flight(w, i, lane, cell, verb, bytes, offset);
            }
            if (!ordered(w, lane, cell.writer & kThread, cell.written) && !(flags & cell.writer & kAtomic))
                [[unlikely]] {
                const u32 low = std::max(offset, at << shift_), high = std::min(offset + bytes, (at + 1) << shift_);
                if (value == nullptr || std::memcmp(w.cta->shared + low, value + (low - offset), high - low) != 0) {
                    race(w, i, lane, cell, "write-after-write-race", verb, bytes, offset, false);
                }
            }
        }
        if (cell.reader != self && !reader_ordered(w, lane, cell)) [[unlikely]] {
            race(w, i, lane, cell, "write-after-read-race", verb, bytes, offset, true);
        }
        cell.written = w.clock.now;
        cell.writer = (u16)(self | flags);
        cell.write_pc = pc;
        cell.read = 0;
    }
}

void SharedShadow::in_flight(const Warp& w, const Inst* i, u32 lane, const Cell& cell, const char* verb, u32 bytes,
                             u32 offset) const {
    // Another thread's copy, issued after the last barrier: waiting for it would not help.
    if (!ordered(w, lane, cell.writer & kThread, cell.written)) {
        race(w, i, lane, cell, std::string_view(verb) == "reads" ? "read-after-write-race" : "write-after-write-race",
             verb, bytes, offset, false);
    }
    const Kernel& kernel = *w.cta->launch->kernel;
    fault(w, i, lane, FaultKind::Hazard, "async-copy-in-flight",
          std::string(verb) + " " + std::to_string(bytes) + " bytes of shared memory at offset " +
              std::to_string(offset) + ", to which the cp.async of " + thread_name(*w.cta, cell.writer & kThread) +
              " at " + kernel.where(std::min((u32)cell.write_pc, (u32)kernel.code.size() - 1)) +
              " has not been waited for");
}

void SharedShadow::write(const Warp& w, const Inst* i, u32 lane, u32 offset, u32 bytes, const u8* value) {
    check_write(w, i, lane, offset, bytes, value, 0);
}

void SharedShadow::atomic(const Warp& w, const Inst* i, u32 lane, u32 offset, u32 bytes) {
    const u32 end = (offset + bytes - 1) >> shift_;
    for (u32 at = offset >> shift_; at <= end; at++) {
        if (cells_[at].written < base_) [[unlikely]] {
            fault(w, i, lane, FaultKind::Hazard, "uninitialised-shared-read",
                  "updates " + std::to_string(bytes) + " bytes of shared memory at offset " + std::to_string(offset) +
                      ", which were never written in this CTA");
        }
    }
    check_write(w, i, lane, offset, bytes, nullptr, kAtomic);
}

void SharedShadow::async_issue(const Warp& w, const Inst* i, u32 lane, u32 offset, u32 bytes) {
    check_write(w, i, lane, offset, bytes, nullptr, kInFlight);
}

void SharedShadow::async_complete(const Warp& w, u32 lane, u32 offset, u32 bytes) {
    const u32 end = (offset + bytes - 1) >> shift_;
    for (u32 at = offset >> shift_; at <= end; at++) {
        cells_[at].writer = (u16)thread_of(w, lane);
        cells_[at].written = w.clock.now;
    }
}

}  // namespace ptxsim
