// Number formats of GGUF tensors: F32, F16, BF16 and Q8_0, encoded from float rows.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

namespace peers {

// Values are ggml's type numbers, as a GGUF file stores them.
enum class TensorType : uint32_t { F32 = 0, F16 = 1, Q8_0 = 8, BF16 = 30 };

inline constexpr int kQ8Block = 32;       // values that share one scale
inline constexpr int kQ8BlockBytes = 34;  // an F16 scale and 32 signed bytes

inline float bf16_to_float(uint16_t bits) {
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

inline float f16_to_float(uint16_t half) {
    uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
    uint32_t exponent = (half >> 10) & 0x1F, mantissa = half & 0x3FFu;
    if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000u | mantissa << 13);
    if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
    float magnitude = static_cast<float>(mantissa) * 0x1p-24f;  // zero or subnormal
    return sign ? -magnitude : magnitude;
}

// Round to nearest, ties to even; a NaN stays a NaN.
inline uint16_t float_to_bf16(float value) {
    uint32_t bits = std::bit_cast<uint32_t>(value);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);
    return static_cast<uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

// Round to nearest, ties to even; values of 65520 and above become infinity.
inline uint16_t float_to_f16(float value) {
    uint32_t bits = std::bit_cast<uint32_t>(value);
    uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) return static_cast<uint16_t>(sign | 0x7E00u);
    if (magnitude >= 0x477FF000u) return static_cast<uint16_t>(sign | 0x7C00u);
    if (magnitude < 0x38800000u) {
        // Adding 0.5 leaves the subnormal's ten bits, correctly rounded, at the bottom of the float.
        float aligned = std::bit_cast<float>(magnitude) + 0.5f;
        return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(aligned) - 0x3F000000u));
    }
    uint32_t rounded = magnitude + 0xFFFu + (magnitude >> 13 & 1u) - (112u << 23);
    return static_cast<uint16_t>(sign | rounded >> 13);
}

inline size_t row_bytes(TensorType type, int64_t columns) {
    switch (type) {
        case TensorType::F32:
            return columns * 4;
        case TensorType::Q8_0:
            return columns / kQ8Block * kQ8BlockBytes;
        default:
            return columns * 2;
    }
}

// One block: scale = max|x| / 127 in F16, then round(x / scale), with the unrounded scale as ggml's own quantiser has
// it.
inline void encode_q8_block(const float* in, uint8_t* out) {
    float largest = 0;
    for (int i = 0; i < kQ8Block; ++i) largest = std::max(largest, std::fabs(in[i]));
    float scale = largest / 127.0f, inverse = scale > 0 ? 1.0f / scale : 0.0f;
    uint16_t half = float_to_f16(scale);
    std::memcpy(out, &half, 2);
    for (int i = 0; i < kQ8Block; ++i) {
        float scaled = in[i] * inverse;
        out[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(scaled + std::copysign(0.5f, scaled)));
    }
}

// Encodes `count` floats (a multiple of 32 for Q8_0) to `out`.
inline void encode(TensorType type, const float* in, int64_t count, uint8_t* out) {
    switch (type) {
        case TensorType::F32:
            std::memcpy(out, in, count * 4);
            break;
        case TensorType::F16:
            for (int64_t i = 0; i < count; ++i) {
                uint16_t half = float_to_f16(in[i]);
                std::memcpy(out + 2 * i, &half, 2);
            }
            break;
        case TensorType::BF16:
            for (int64_t i = 0; i < count; ++i) {
                uint16_t half = float_to_bf16(in[i]);
                std::memcpy(out + 2 * i, &half, 2);
            }
            break;
        case TensorType::Q8_0:
            for (int64_t i = 0; i < count; i += kQ8Block) encode_q8_block(in + i, out + i / kQ8Block * kQ8BlockBytes);
            break;
    }
}

inline TensorType tensor_type(const std::string& name) {
    if (name == "f32") return TensorType::F32;
    if (name == "f16") return TensorType::F16;
    if (name == "bf16") return TensorType::BF16;
    if (name == "q8_0") return TensorType::Q8_0;
    throw std::runtime_error("--type must be f32, f16, bf16 or q8_0, not '" + name + "'");
}

}  // namespace peers
