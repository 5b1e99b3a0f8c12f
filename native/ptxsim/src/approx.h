// Vector versions of the device's approximate functions. They are more accurate than the hardware (about 1 ulp), so
// tests must not rely on the last bits.
#pragma once
#include <cfloat>
#include <cmath>
#include <limits>

#include "lanes.h"

namespace ptxsim::approx {

using F = Lanes<float>;
using U = Lanes<u32>;
using I = Lanes<i32>;

PTXSIM_INLINE F power_of_two(I exponent) {
    return __builtin_bit_cast(F, (exponent + splat<i32>(127)) << splat<i32>(23));
}

inline F ex2(F x) {
    const F bounded = __builtin_elementwise_max(__builtin_elementwise_min(x, splat(130.0f)), splat(-160.0f));
    const F whole = __builtin_elementwise_rint(bounded);
    const F f = bounded - whole;
    // ln(2)^k / k!
    F p = splat(1.525273380405984e-5f);
    p = p * f + splat(1.540353039338161e-4f);
    p = p * f + splat(1.333355814642844e-3f);
    p = p * f + splat(9.618129107628477e-3f);
    p = p * f + splat(5.550410866482158e-2f);
    p = p * f + splat(2.402265069591007e-1f);
    p = p * f + splat(6.931471805599453e-1f);
    p = p * f + splat(1.0f);
    // In two steps, so that results below FLT_MIN are rounded once instead of wrapping.
    const I n = convert_lanes<i32>(whole);
    const I half = n >> splat<i32>(1);
    const F r = p * power_of_two(half) * power_of_two(n - half);
    return x == x ? r : x;
}

inline F lg2(F x) {
    const u32 tiny = pack(x < splat(FLT_MIN)) & pack(x > splat(0.0f));
    const F scaled = tiny == 0 ? x : select<float>(tiny, x * splat(16777216.0f), x);
    const U bits = __builtin_bit_cast(U, scaled);
    // Mantissa in [sqrt(1/2), sqrt(2)).
    const I e = (I)((bits - splat<u32>(0x3F3504F3)) & splat<u32>(0xFF800000));
    const F m = __builtin_bit_cast(F, bits - (U)e);
    const F t = (m - splat(1.0f)) / (m + splat(1.0f));
    const F s = t * t;
    F p = splat(2.0f / 9.0f);
    p = p * s + splat(2.0f / 7.0f);
    p = p * s + splat(2.0f / 5.0f);
    p = p * s + splat(2.0f / 3.0f);
    p = p * s + splat(2.0f);
    F r = convert_lanes<float>(e >> splat<i32>(23)) + p * t * splat(1.4426950408889634f);
    r = tiny == 0 ? r : select<float>(tiny, r - splat(24.0f), r);
    const float inf = std::numeric_limits<float>::infinity();
    r = x == splat(0.0f) ? splat(-inf) : r;
    r = x < splat(0.0f) ? splat(std::numeric_limits<float>::quiet_NaN()) : r;
    r = x == splat(inf) ? x : r;
    return x == x ? r : x;
}

inline F tanh(F x) {
    const F a = __builtin_elementwise_abs(x);
    const F s = x * x;
    F p = splat(62.0f / 2835.0f);
    p = p * s - splat(17.0f / 315.0f);
    p = p * s + splat(2.0f / 15.0f);
    p = p * s - splat(1.0f / 3.0f);
    const F small = x + x * s * p;
    const F large = splat(1.0f) - splat(2.0f) / (ex2(a * splat(2.8853900817779268f)) + splat(1.0f));
    return a < splat(0.3f) ? small : __builtin_elementwise_copysign(large, x);
}

inline F sin(F x) {
    return map_lanes<float>([](float v) { return std::sin(v); }, x);
}

inline F cos(F x) {
    return map_lanes<float>([](float v) { return std::cos(v); }, x);
}

}  // namespace ptxsim::approx
