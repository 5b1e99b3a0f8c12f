// One warp-wide access to global or shared memory: alignment and bounds per lane, traffic counters, the checker.
#pragma once
#include "ops.h"

namespace ptxsim {

/// Bytes of all lanes, lane after lane.
struct alignas(64) LaneBytes {
    u8 bytes[16 * kLanes];
};

[[noreturn]] void global_fault(const Warp& w, const Inst* i, u32 lane, u64 address, u32 bytes, const char* verb);
[[noreturn]] void shared_fault(const Warp& w, const Inst* i, u32 lane, u64 offset, u32 bytes, const char* verb);

/// Where a lane's global bytes lie in this process; faults if they are misaligned or leave their buffer.
template <u32 Bytes>
PTXSIM_INLINE u8* global_pointer(Warp& w, const Inst* i, u32 lane, u64 address, const char* verb) {
    u8* pointer = w.worker->view.resolve(address, Bytes);
    if (pointer == nullptr || address % Bytes != 0) [[unlikely]] {
        global_fault(w, i, lane, address, Bytes, verb);
    }
    return pointer;
}

template <u32 Bytes>
PTXSIM_INLINE u8* shared_pointer(Warp& w, const Inst* i, u32 lane, u64 offset, const char* verb) {
    if (offset % Bytes != 0 || offset + Bytes > w.cta->shared_bytes || offset > ~0ull - Bytes) [[unlikely]] {
        shared_fault(w, i, lane, offset, Bytes, verb);
    }
    return w.cta->shared + offset;
}

/// True if lane l's address is the first one plus l * bytes, for all 32 lanes.
template <u32 Bytes>
PTXSIM_INLINE bool contiguous(u32 mask, const Lanes<u64>& a) {
    if (mask != kAllLanes || a[31] != a[0] + 31 * Bytes) {
        return false;
    }
    return pack(a == splat<u64>(a[0]) + iota<u64>() * splat<u64>(Bytes)) == kAllLanes;
}

struct GlobalCounts {
    u64 KernelCounters::*requests;
    u64 KernelCounters::*bytes;
    u64 KernelCounters::*sectors;
    SectorMap Traffic::*map;
};

inline constexpr GlobalCounts kLoadCounts{&KernelCounters::global_load_requests, &KernelCounters::global_load_bytes,
                                          &KernelCounters::global_load_sectors, &Traffic::loads};
inline constexpr GlobalCounts kStoreCounts{&KernelCounters::global_store_requests, &KernelCounters::global_store_bytes,
                                           &KernelCounters::global_store_sectors, &Traffic::stores};

/// Counts a request whose lanes touch one range without gaps.
template <const GlobalCounts& Counts>
void count_range(Worker& worker, u64 first, u32 bytes) {
    if (!worker.count) {
        return;
    }
    SectorMap& map = worker.traffic.*Counts.map;
    const u64 low = first >> 5, high = (first + bytes - 1) >> 5;
    for (u64 sector = low; sector <= high; sector++) {
        map.touch(sector);
    }
    worker.counters.*Counts.requests += 1;
    worker.counters.*Counts.bytes += bytes;
    worker.counters.*Counts.sectors += high - low + 1;
}

template <const GlobalCounts& Counts>
void count_scattered(Worker& worker, u32 mask, const Lanes<u64>& a, u32 bytes) {
    if (!worker.count) {
        return;
    }
    RequestSectors& request = worker.traffic.request;
    SectorMap& map = worker.traffic.*Counts.map;
    request.begin();
    for_lanes(mask, [&](u32 l) {
        const u64 sector = a[l] >> 5;
        if (request.add(sector)) {
            map.touch(sector);
        }
    });
    worker.counters.*Counts.requests += 1;
    worker.counters.*Counts.bytes += (u64)bytes * (u32)std::popcount(mask);
    worker.counters.*Counts.sectors += request.count();
}

/// Extra passes over the 32 banks of four bytes that this request needs.
template <u32 Bytes>
u32 bank_conflicts(u32 mask, const Lanes<u64>& offsets) {
    // 8-byte accesses go in two halves of the warp, 16-byte ones in four quarters.
    constexpr u32 kPhases = Bytes <= 4 ? 1 : Bytes / 4;
    constexpr u32 kPerPhase = kLanes / kPhases;
    constexpr u32 kWords = Bytes <= 4 ? 1 : Bytes / 4;
    if (mask == kAllLanes && Bytes <= 4) {
        // Usual cases without a loop: every bank once, or one word for all.
        const Lanes<u32> word = convert_lanes<u32>(offsets >> splat<u64>(2));
        const u32 banks = __builtin_reduce_or(splat(1u) << (word & splat(31u)));
        if (banks == kAllLanes || pack(word == splat<u32>(word[0])) == kAllLanes) {
            return 0;
        }
    }
    u32 conflicts = 0;
    for (u32 phase = 0; phase < kPhases; phase++) {
        u32 used = 0, words = 0;
        const u32 lanes = mask >> (phase * kPerPhase) & (kPerPhase == 32 ? kAllLanes : (1u << kPerPhase) - 1);
        for_lanes(lanes, [&](u32 l) {
            used |= ((1u << kWords) - 1) << (offsets[phase * kPerPhase + l] >> 2 & 31);
            words += kWords;
        });
        if ((u32)std::popcount(used) == words) [[likely]] {
            continue;
        }
        // Distinct words per bank; lanes that read the same word share one pass.
        u64 seen[kLanes][kLanes];
        u32 counts[32] = {};
        u32 most = 0;
        for_lanes(lanes, [&](u32 l) {
            const u64 first = offsets[phase * kPerPhase + l] >> 2;
            for (u64 word = first; word < first + kWords; word++) {
                const u32 bank = (u32)word & 31;
                bool known = false;
                for (u32 k = 0; k < counts[bank]; k++) {
                    known |= seen[bank][k] == word;
                }
                if (!known) {
                    seen[bank][counts[bank]++] = word;
                    most = std::max(most, counts[bank]);
                }
            }
        });
        conflicts += most > 0 ? most - 1 : 0;
    }
    return conflicts;
}

template <u32 Bytes, bool Counted>
void load_global(Warp& w, const Inst* i, u32 mask, const Lanes<u64>& a, LaneBytes& out) {
    Worker& worker = *w.worker;
    if (contiguous<Bytes>(mask, a) && a[0] % Bytes == 0) {
        if (const u8* from = worker.view.resolve(a[0], Bytes * kLanes)) [[likely]] {
            std::memcpy(out.bytes, from, Bytes * kLanes);
            if (Counted) {
                count_range<kLoadCounts>(worker, a[0], Bytes * kLanes);
            }
            return;
        }
    }
    for_lanes(mask,
              [&](u32 l) { std::memcpy(out.bytes + l * Bytes, global_pointer<Bytes>(w, i, l, a[l], "reads"), Bytes); });
    if (Counted) {
        count_scattered<kLoadCounts>(worker, mask, a, Bytes);
    }
}

template <u32 Bytes>
void store_global(Warp& w, const Inst* i, u32 mask, const Lanes<u64>& a, const LaneBytes& in) {
    Worker& worker = *w.worker;
    if (contiguous<Bytes>(mask, a) && a[0] % Bytes == 0) {
        if (u8* to = worker.view.resolve(a[0], Bytes * kLanes)) [[likely]] {
            std::memcpy(to, in.bytes, Bytes * kLanes);
            count_range<kStoreCounts>(worker, a[0], Bytes * kLanes);
            return;
        }
    }
    for_lanes(mask,
              [&](u32 l) { std::memcpy(global_pointer<Bytes>(w, i, l, a[l], "writes"), in.bytes + l * Bytes, Bytes); });
    count_scattered<kStoreCounts>(worker, mask, a, Bytes);
}

template <u32 Bytes>
void load_shared(Warp& w, const Inst* i, u32 mask, const Lanes<u64>& a, LaneBytes& out) {
    for_lanes(mask,
              [&](u32 l) { std::memcpy(out.bytes + l * Bytes, shared_pointer<Bytes>(w, i, l, a[l], "reads"), Bytes); });
    Worker& worker = *w.worker;
    if (worker.check) {
        for_lanes(mask, [&](u32 l) { worker.shadow.read(w, i, l, (u32)a[l], Bytes); });
    }
    if (worker.count) {
        worker.counters.shared_load_requests++;
        worker.counters.shared_load_conflicts += bank_conflicts<Bytes>(mask, a);
    }
}

template <u32 Bytes>
void store_shared(Warp& w, const Inst* i, u32 mask, const Lanes<u64>& a, const LaneBytes& in) {
    Worker& worker = *w.worker;
    for_lanes(mask, [&](u32 l) {
        u8* to = shared_pointer<Bytes>(w, i, l, a[l], "writes");
        if (worker.check) {
            worker.shadow.write(w, i, l, (u32)a[l], Bytes, in.bytes + l * Bytes);
        }
        if (worker.follow) {
            worker.origins.forget((u32)a[l], Bytes);
        }
        std::memcpy(to, in.bytes + l * Bytes, Bytes);
    });
    if (worker.count) {
        worker.counters.shared_store_requests++;
        worker.counters.shared_store_conflicts += bank_conflicts<Bytes>(mask, a);
    }
}

/// Lanes whose generic address means shared memory.
PTXSIM_INLINE u32 shared_lanes(const Lanes<u64>& a) {
    return pack((a >> splat<u64>(60)) == splat<u64>(kSharedWindow >> 60));
}

}  // namespace ptxsim
