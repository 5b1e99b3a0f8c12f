// bf16 and f16, both directions, on vectors; rounding is to nearest even.
#pragma once
#include "lanes.h"

namespace ptxsim {

struct BFloat16 {
    static PTXSIM_INLINE Lanes<float> widen(Lanes<u16> bits) {
        return __builtin_bit_cast(Lanes<float>, convert_lanes<u32>(bits) << splat<u32>(16));
    }
    static PTXSIM_INLINE Lanes<u16> narrow(Lanes<float> value) {
        const Lanes<u32> bits = __builtin_bit_cast(Lanes<u32>, value);
        const Lanes<u32> rounded = (bits + splat<u32>(0x7FFF) + ((bits >> splat<u32>(16)) & splat<u32>(1))) >> splat<u32>(16);
        // The device's NaN is 0x7FFF.
        return convert_lanes<u16>(value == value ? rounded : splat<u32>(0x7FFF));
    }
};

struct Float16 {
    static inline Lanes<float> widen(Lanes<u16> bits) {
        Lanes<float> r;
        for (u32 l = 0; l < kLanes; l++) {
            r[l] = (float)std::bit_cast<_Float16>((u16)bits[l]);
        }
        return r;
    }
    static inline Lanes<u16> narrow(Lanes<float> value) {
        Lanes<u16> r;
        for (u32 l = 0; l < kLanes; l++) {
            r[l] = value[l] == value[l] ? std::bit_cast<u16>((_Float16)value[l]) : (u16)0x7FFF;
        }
        return r;
    }
};

}  // namespace ptxsim
