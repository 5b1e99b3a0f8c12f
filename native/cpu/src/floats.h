// Conversions between float32 and the storage types, bit by bit. Everything is static: each SIMD level compiles its own
// copy.
#pragma once

#include <cstdint>
#include <cstring>

namespace farm {

static inline float float_from_bits(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

static inline uint32_t bits_of(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return bits;
}

static inline float from_bf16(uint16_t value) {
    return float_from_bits(static_cast<uint32_t>(value) << 16);
}

// Round to nearest even; a NaN stays a NaN.
static inline uint16_t to_bf16(float value) {
    uint32_t bits = bits_of(value);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) return static_cast<uint16_t>((bits >> 16) | 0x40);
    return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

static inline float from_f16(uint16_t value) {
    uint32_t sign = static_cast<uint32_t>(value & 0x8000) << 16, exponent = (value >> 10) & 31,
             fraction = value & 0x3FF;
    if (exponent == 31) return float_from_bits(sign | 0x7F800000 | (fraction << 13));
    if (exponent == 0) {
        // Subnormal: fraction * 2^-24, exact in float32.
        float magnitude = static_cast<float>(fraction) * 5.9604644775390625e-8f;
        return float_from_bits(sign | bits_of(magnitude));
    }
    return float_from_bits(sign | ((exponent + 112) << 23) | (fraction << 13));
}

static inline bool is_finite(float value) {
    return (bits_of(value) & 0x7F800000) != 0x7F800000;
}

}  // namespace farm
