// Simulated device memory. Device addresses are numbers in a reserved range that is never mapped, so host code that
// follows one faults; the bytes lie elsewhere, each buffer ending at a guard page.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "lanes.h"

namespace ptxsim {

/// Generic addresses of shared memory: this plus the offset.
inline constexpr u64 kSharedWindow = 1ull << 60;

struct Buffer {
    u64 base = 0;  // device address
    u64 bytes = 0;
    u8* host = nullptr;
    bool pinned = false;  // host memory that kernels may use, at its own address
};

class DeviceMemory {
  public:
    /// 0 when the device's memory is used up. Fresh memory is 0xFF, NaN in every float format.
    u64 allocate(u64 bytes);
    bool release(u64 address);
    u8* allocate_host(u64 bytes);
    bool release_host(void* pointer);
    bool is_pinned(const void* pointer) const;
    void clear();

    /// The buffer that holds this address, or null.
    const Buffer* find(u64 address) const;
    /// Host pointer of the whole range, or null if it leaves its buffer.
    u8* resolve(u64 address, u64 bytes) const;
    u64 used() const { return used_; }
    u64 total() const;
    u64 live_buffers() const { return live_; }
    /// Start of the reserved range; sector bitmaps are relative to it.
    u64 range_base() const { return range_; }
    u64 range_bytes() const { return range_bytes_; }
    /// "4 bytes past the end of the buffer at 0x... (256 bytes)": where an address lies.
    std::string describe(u64 address) const;

  private:
    void reserve();

    std::map<u64, Buffer> buffers_;
    std::map<u64, u64> freed_;  // ranges of the window that may be used again
    u64 range_ = 0, range_bytes_ = 0, next_ = 0;
    u8* alias_ = nullptr;
    u64 used_ = 0, live_ = 0;
};

DeviceMemory& device_memory();

/// A worker's window on device memory: remembers the buffer that was used last.
struct DeviceView {
    Buffer hot;

    PTXSIM_INLINE u8* resolve(u64 address, u32 bytes) {
        const u64 offset = address - hot.base;
        if (offset < hot.bytes && bytes <= hot.bytes - offset) [[likely]] {
            return hot.host + offset;
        }
        return resolve_slowly(address, bytes);
    }
    u8* resolve_slowly(u64 address, u32 bytes);
};

}  // namespace ptxsim
