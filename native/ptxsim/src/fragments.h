// Where in global memory the operands of mma.sync came from, and whether they lie as the instruction takes them.
//
// A word of shared memory remembers the device address it was copied from, a register that a load filled that of its
// two elements. Only registers that a load may fill and that an mma or a store to shared memory may read are followed;
// which these are is known when the kernel is decoded.
#pragma once
#include <vector>

#include "lanes.h"

namespace ptxsim {

struct Warp;
struct Inst;

/// Device addresses of a register's low and high element in each lane; kUnknown for computed ones, kZeroFilled for
/// what cp.async filled.
struct Origins {
    Lanes<u64> low, high;
};

inline constexpr u64 kUnknown = 0, kZeroFilled = 1;

/// Flag in mods: this load, store or move carries origins.
inline constexpr u32 kFollowed = 1u << 29;

/// The origin of each word of shared memory: that of the element in its low half; the other one lies behind it.
class SharedOrigins {
  public:
    void begin_launch(u32 shared_bytes) {
        if (words_.size() < (shared_bytes + 3) / 4) {
            words_.resize((shared_bytes + 3) / 4, kUnknown);
        }
    }
    void forget(u32 offset, u32 bytes) {
        for (u32 word = offset / 4; word <= (offset + bytes - 1) / 4; word++) {
            words_[word] = kUnknown;
        }
    }
    /// `take` bytes of global memory from `from` on, then zeros, as far as `bytes`.
    void copy(u32 offset, u32 bytes, u64 from, u32 take) {
        for (u32 at = 0; at < bytes; at += 4) {
            words_[(offset + at) / 4] = at + 4 <= take ? from + at : kZeroFilled;
        }
    }
    void set(u32 offset, u64 origin) { words_[offset / 4] = origin; }
    u64 word(u32 offset) const { return words_[offset / 4]; }
    u64 element(u32 offset) const {
        const u64 low = words_[offset / 4];
        return low <= kZeroFilled ? low : low + (offset & 2);
    }

  private:
    std::vector<u64> words_;
};

/// Faults unless the registers of an operand of m16n8k16, whose frame offsets are given, lie as a fragment: of a matrix
/// with k or the other index along its lines, or of fragments that lie in memory as the lanes hold them. Silent where
/// an element was computed; zero-filled ones fit anywhere.
void check_left_fragment(const Warp& w, const Inst* i, const u32* slots);
void check_right_fragment(const Warp& w, const Inst* i, const u32* slots);

}  // namespace ptxsim
