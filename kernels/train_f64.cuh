// Float64 functions for vectors as long as a batch has tokens, where digits matter more than time.
#pragma once
#include "farm_device.cuh"

// e^x within a few units of 2^-52: x = n ln 2 + r with |r| <= ln 2 / 2, and the series of e^r, whose 14th term is below
// 1e-17. 0 below -708, infinity above 709.
FARM_DEVICE double exp_f64(double x) {
    double clamped = x < -708.0 ? -708.0 : x > 709.0 ? 709.0 : x;
    double scaled = clamped * 1.4426950408889634074;
    int n = static_cast<int>(scaled + (scaled < 0.0 ? -0.5 : 0.5));
    double r = fma(static_cast<double>(n), -6.93147180369123816490e-01, clamped);
    r = fma(static_cast<double>(n), -1.90821492927058770002e-10, r);
    constexpr double kInverse[] = {1.0,     1.0 / 2, 1.0 / 3,  1.0 / 4,  1.0 / 5,  1.0 / 6, 1.0 / 7,
                                   1.0 / 8, 1.0 / 9, 1.0 / 10, 1.0 / 11, 1.0 / 12, 1.0 / 13};
    double p = 1.0;
    FARM_UNROLL
    for (int i = 12; i >= 0; i--) p = fma(r * kInverse[i], p, 1.0);
    int half = n / 2;
    p *= double_of(static_cast<u64>(half + 1023) << 52);
    p *= double_of(static_cast<u64>(n - half + 1023) << 52);
    return x < -708.0 ? 0.0 : x > 709.0 ? double_of(0x7FF0000000000000ull) : p;
}

// e^x - 1 without cancellation: the series near 0.
FARM_DEVICE double expm1_f64(double x) {
    if (x > 0.5 || x < -0.5) return exp_f64(x) - 1.0;
    constexpr double kInverse[] = {1.0 / 2, 1.0 / 3,  1.0 / 4,  1.0 / 5,  1.0 / 6,  1.0 / 7, 1.0 / 8,
                                   1.0 / 9, 1.0 / 10, 1.0 / 11, 1.0 / 12, 1.0 / 13, 1.0 / 14};
    double p = 1.0;
    FARM_UNROLL
    for (int i = 12; i >= 0; i--) p = fma(x * kInverse[i], p, 1.0);
    return x * p;
}

// log(1 + x) for 0 <= x <= 1: the series where 1 + x would lose the digits of x.
FARM_DEVICE double log1p_f64(double x) {
    if (x > 0.01) return log_f64(1.0 + x);
    double p = 1.0 / 8;
    p = fma(-x, p, 1.0 / 7);
    p = fma(-x, p, 1.0 / 6);
    p = fma(-x, p, 1.0 / 5);
    p = fma(-x, p, 1.0 / 4);
    p = fma(-x, p, 1.0 / 3);
    p = fma(-x, p, 1.0 / 2);
    p = fma(-x, p, 1.0);
    return x * p;
}

// log(1 + e^x) and 1 / (1 + e^-x) without overflow.
FARM_DEVICE double softplus_f64(double x) {
    return (x > 0.0 ? x : 0.0) + log1p_f64(exp_f64(x > 0.0 ? -x : x));
}
FARM_DEVICE double logistic_f64(double x) {
    double e = exp_f64(x > 0.0 ? -x : x);
    return (x >= 0.0 ? 1.0 : e) / (1.0 + e);
}
FARM_DEVICE double clamp_f64(double x, double low, double high) {
    return x < low ? low : x > high ? high : x;
}
