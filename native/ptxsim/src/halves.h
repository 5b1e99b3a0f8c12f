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
        const Lanes<u32> rounded =
            (bits + splat<u32>(0x7FFF) + ((bits >> splat<u32>(16)) & splat<u32>(1))) >> splat<u32>(16);
        // The device's NaN is 0x7FFF.
        return convert_lanes<u16>(value == value ? rounded : splat<u32>(0x7FFF));
    }
};

struct Float16 {
    static inline Lanes<float> widen(Lanes<u16> bits) {
        return map_lanes<float>([](u16 half) { return (float)std::bit_cast<_Float16>(half); }, bits);
    }
    static inline Lanes<u16> narrow(Lanes<float> value) {
        return map_lanes<u16>([](float v) { return v == v ? std::bit_cast<u16>((_Float16)v) : (u16)0x7FFF; }, value);
    }
};

}  // namespace ptxsim
