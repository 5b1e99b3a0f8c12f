// A PTX register of one warp is a vector of 32 values; clang turns arithmetic on it into a few SIMD instructions.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

namespace ptxsim {

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using i8 = int8_t;
using i16 = int16_t;
using i32 = int32_t;
using i64 = int64_t;

#define PTXSIM_INLINE inline __attribute__((always_inline))

inline constexpr u32 kLanes = 32;
inline constexpr u32 kAllLanes = 0xFFFFFFFFu;

template <class T>
using Lanes = T __attribute__((ext_vector_type(32)));

namespace detail {
template <size_t N>
struct IntOfSize;
template <>
struct IntOfSize<1> {
    using S = i8;
    using U = u8;
};
template <>
struct IntOfSize<2> {
    using S = i16;
    using U = u16;
};
template <>
struct IntOfSize<4> {
    using S = i32;
    using U = u32;
};
template <>
struct IntOfSize<8> {
    using S = i64;
    using U = u64;
};
}  // namespace detail

template <class T>
using SignedOf = typename detail::IntOfSize<sizeof(T)>::S;
template <class T>
using UnsignedOf = typename detail::IntOfSize<sizeof(T)>::U;

template <class T>
PTXSIM_INLINE Lanes<T> splat(T value) {
    return (Lanes<T>)(value);
}

/// 0, 1, ... 31.
template <class T>
PTXSIM_INLINE Lanes<T> iota() {
    return Lanes<T>{0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
}

/// Bit l of `bits` becomes all ones or zero in lane l: the shape that `?:` on vectors of T wants.
template <class T>
PTXSIM_INLINE Lanes<SignedOf<T>> expand(u32 bits) {
    if constexpr (sizeof(T) >= 4) {
        using U = UnsignedOf<T>;
        const Lanes<U> lane_bit = splat<U>(1) << iota<U>();
        return (Lanes<SignedOf<T>>)((splat<U>(bits) & lane_bit) != splat<U>(0));
    } else {
        return __builtin_convertvector(expand<u32>(bits), Lanes<SignedOf<T>>);
    }
}

/// The inverse of expand: one bit per lane of a comparison's result.
template <class V>
PTXSIM_INLINE u32 pack(V comparison) {
    using Bits = bool __attribute__((ext_vector_type(32)));
    return __builtin_bit_cast(u32, __builtin_convertvector(comparison, Bits));
}

template <class T>
PTXSIM_INLINE Lanes<T> select(u32 bits, Lanes<T> yes, Lanes<T> no) {
    return expand<T>(bits) ? yes : no;
}

template <class D, class S>
PTXSIM_INLINE Lanes<D> convert_lanes(Lanes<S> value) {
    return __builtin_convertvector(value, Lanes<D>);
}

/// f of each lane of one or more vectors. A loop over an array: clang vectorises it where it can, and where it cannot,
/// it does not write it out 32 times as it does for single elements of a vector.
template <class V>
using ElementOf = std::remove_cvref_t<decltype(std::declval<V>()[0])>;

template <class R, class F, class... V>
PTXSIM_INLINE Lanes<R> map_lanes(F f, const V&... vectors) {
    Lanes<R> r;
#pragma clang loop unroll(disable)
    for (u32 l = 0; l < kLanes; l++) {
        reinterpret_cast<R*>(&r)[l] = f(reinterpret_cast<const ElementOf<V>*>(&vectors)[l]...);
    }
    return r;
}

/// Calls f(lane) for each set bit, lowest first.
template <class F>
PTXSIM_INLINE void for_lanes(u32 mask, F&& f) {
    if (mask == kAllLanes) {
#pragma clang loop unroll(disable)
        for (u32 lane = 0; lane < kLanes; lane++) {
            f(lane);
        }
        return;
    }
    for (; mask != 0; mask &= mask - 1) {
        f((u32)std::countr_zero(mask));
    }
}

}  // namespace ptxsim
