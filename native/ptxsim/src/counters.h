// What a kernel did: traffic, bank conflicts, operations. Kept per worker and summed after each launch.
#pragma once
#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lanes.h"

namespace ptxsim {

struct KernelCounters {
    u64 launches = 0, ctas = 0, threads = 0;
    u64 warp_instructions = 0, lane_instructions = 0;
    u64 flops = 0;  // scalar f32/f64 operations of active lanes, fma counts two
    u64 mma = 0, mma_flops = 0, ldmatrix = 0, barriers = 0;
    u64 global_load_requests = 0, global_store_requests = 0;  // warp instructions
    u64 global_load_bytes = 0, global_store_bytes = 0;        // what the lanes asked for
    u64 global_load_sectors = 0, global_store_sectors = 0;    // distinct 32-byte sectors of each request
    u64 global_load_unique = 0, global_store_unique = 0;      // bytes in distinct sectors of the whole launch
    u64 atomics = 0;                                          // lanes
    u64 shared_load_requests = 0, shared_store_requests = 0;
    u64 shared_load_conflicts = 0, shared_store_conflicts = 0;  // extra passes over the banks, ldmatrix included
    u64 ldmatrix_conflicts = 0;

    void add(const KernelCounters& other);
};

/// Which sectors a launch has touched: a bit each, in pages that exist only where something was touched.
class SectorMap {
  public:
    PTXSIM_INLINE void touch(u64 sector) {
        u64& word = page(sector >> kPageBits)[sector >> 6 & kPageWords];
        word |= 1ull << (sector & 63);
    }
    /// Adds the other's bits and forgets them there.
    void absorb(SectorMap& other);
    u64 count_and_clear();

  private:
    static constexpr u32 kPageBits = 15;  // 1 MiB of device memory, 4 KiB of bits
    static constexpr u64 kPageWords = (1u << (kPageBits - 6)) - 1;
    using Page = std::array<u64, kPageWords + 1>;

    PTXSIM_INLINE u64* page(u64 number) {
        if (number == last_number_) [[likely]] {
            return last_->data();
        }
        return find_page(number);
    }
    u64* find_page(u64 number);

    std::map<u64, std::unique_ptr<Page>> pages_;
    u64 last_number_ = ~0ull;
    Page* last_ = nullptr;
};

/// The distinct sectors of one warp-wide request.
class RequestSectors {
  public:
    PTXSIM_INLINE void begin() {
        generation_++;
        last_ = ~0ull;
        count_ = 0;
    }
    /// True if this sector is new in the request.
    PTXSIM_INLINE bool add(u64 sector) {
        if (sector == last_) {
            return false;
        }
        last_ = sector;
        for (u32 place = (u32)(sector * 0x9E3779B97F4A7C15ull >> 57);; place = (place + 1) & 127) {
            if (generations_[place] != generation_) {
                generations_[place] = generation_;
                sectors_[place] = sector;
                count_++;
                return true;
            }
            if (sectors_[place] == sector) {
                return false;
            }
        }
    }
    u32 count() const { return count_; }

  private:
    u64 sectors_[128] = {};
    u64 generations_[128] = {};
    u64 generation_ = 0, last_ = ~0ull;
    u32 count_ = 0;
};

struct Traffic {
    SectorMap loads, stores;
    RequestSectors request;
};

/// Sums by kernel name, process-wide.
void merge_counters(const std::string& kernel, const KernelCounters& counters);
void clear_counters();
/// {"kernels":{"name":{"launches":1,...},...},"total":{...}}
std::string counters_json();

}  // namespace ptxsim
