// cvt: every pair of integer and float types, and the packed forms.
#include <cmath>

#include "halves.h"
#include "ops.h"

namespace ptxsim {

namespace {

constexpr u32 kSaturate = 1, kFlush = 2, kRelu = 4;

enum class Round : u8 { None, Nearest, Zero, Down, Up };

/// Extends an integer result to the register's width: PTX lets the destination be wider than the type.
template <class D>
void put_extended(Warp& w, const Inst* i, Lanes<D> value) {
    switch (i->imm) {
        case 2:
            put<u16>(w, i->d, __builtin_bit_cast(Lanes<u16>, convert_lanes<std::conditional_t<std::is_signed_v<D>, i16, u16>>(value)));
            break;
        case 4:
            put<u32>(w, i->d, __builtin_bit_cast(Lanes<u32>, convert_lanes<std::conditional_t<std::is_signed_v<D>, i32, u32>>(value)));
            break;
        default:
            put<u64>(w, i->d, __builtin_bit_cast(Lanes<u64>, convert_lanes<std::conditional_t<std::is_signed_v<D>, i64, u64>>(value)));
            break;
    }
}

template <class T>
using RegisterOf = std::conditional_t<sizeof(T) == 1, u16, T>;

/// Reads an integer of type T out of a register that may be wider: its low bits.
template <class T>
Lanes<T> read_low(Warp& w, const Inst* i) {
    switch (i->mods >> 8 & 0xFF) {
        case 2:
            return convert_lanes<T>(get<u16>(w, i->a));
        case 4:
            return convert_lanes<T>(get<u32>(w, i->a));
        default:
            return convert_lanes<T>(get<u64>(w, i->a));
    }
}

template <class D, class S>
const Inst* integer_to_integer(Warp& w, const Inst* i) {
    const Lanes<S> value = read_low<S>(w, i);
    if (i->mods & kSaturate) {
        Lanes<D> r;
        for (u32 l = 0; l < kLanes; l++) {
            const __int128 v = value[l], low = std::numeric_limits<D>::min(), high = std::numeric_limits<D>::max();
            r[l] = (D)(v < low ? low : v > high ? high : v);
        }
        put_extended<D>(w, i, r);
    } else {
        put_extended<D>(w, i, convert_lanes<D>(value));
    }
    return i + 1;
}

template <class D, class S>
const Inst* integer_to_float(Warp& w, const Inst* i) {
    const Lanes<S> value = read_low<S>(w, i);
    Lanes<D> r;
    if constexpr (sizeof(S) <= 4) {
        r = convert_lanes<D>(value);
    } else {
        for (u32 l = 0; l < kLanes; l++) {
            r[l] = (D)value[l];
        }
    }
    put<D>(w, i->d, r);
    return i + 1;
}

template <class T, Round R>
T round_to_integer(T value) {
    switch (R) {
        case Round::Nearest:
            return __builtin_roundeven(value);
        case Round::Zero:
            return std::trunc(value);
        case Round::Down:
            return std::floor(value);
        case Round::Up:
            return std::ceil(value);
        default:
            return value;
    }
}

template <class T, Round R>
Lanes<T> round_lanes(Lanes<T> value) {
    switch (R) {
        case Round::Nearest:
            return __builtin_elementwise_roundeven(value);
        case Round::Zero:
            return __builtin_elementwise_trunc(value);
        case Round::Down:
            return __builtin_elementwise_floor(value);
        case Round::Up:
            return __builtin_elementwise_ceil(value);
        default:
            return value;
    }
}

/// Out of range goes to the nearest end, NaN to zero (to the smallest number for 64 bits it stays zero here).
template <class D, class S, Round R>
const Inst* float_to_integer(Warp& w, const Inst* i) {
    const Lanes<S> value = round_lanes<S, R>(get<S>(w, i->a));
    Lanes<D> r;
    // The first float beyond each end; both are powers of two, hence exact.
    constexpr S high = (S)((unsigned __int128)1 << (8 * sizeof(D) - std::is_signed_v<D>));
    constexpr S low = std::is_signed_v<D> ? -high : (S)0;
    for (u32 l = 0; l < kLanes; l++) {
        const S v = value[l];
        r[l] = v != v ? (D)0 : v >= high ? std::numeric_limits<D>::max() : v <= low ? std::numeric_limits<D>::min() : (D)v;
    }
    put_extended<D>(w, i, r);
    return i + 1;
}

Lanes<float> flush(Lanes<float> x) {
    const Lanes<u32> bits = __builtin_bit_cast(Lanes<u32>, x);
    return __builtin_bit_cast(Lanes<float>, (bits & splat<u32>(0x7F800000)) != splat<u32>(0) ? bits : bits & splat<u32>(0x80000000));
}

template <class D, class S, Round R>
const Inst* float_to_float(Warp& w, const Inst* i) {
    Lanes<S> value = get<S>(w, i->a);
    if constexpr (std::is_same_v<S, float>) {
        value = i->mods & kFlush ? flush(value) : value;
    }
    Lanes<D> r;
    if constexpr (std::is_same_v<D, S>) {
        r = round_lanes<S, R>(value);
    } else {
        r = convert_lanes<D>(value);
        if constexpr (std::is_same_v<D, float>) {
            r = i->mods & kFlush ? flush(r) : r;
        }
    }
    if (i->mods & kSaturate) {
        r = r > splat<D>(0) ? r : splat<D>(0);
        r = r < splat<D>(1) ? r : splat<D>(1);
    }
    put<D>(w, i->d, r);
    return i + 1;
}

template <class Half>
const Inst* half_to_float(Warp& w, const Inst* i) {
    const Lanes<u16> bits = get<u16>(w, i->a);
    put<float>(w, i->d, Half::widen(bits));
    return i + 1;
}

template <class Half>
const Inst* float_to_half(Warp& w, const Inst* i) {
    Lanes<float> value = get<float>(w, i->a);
    if (i->mods & kRelu) {
        value = value > splat(0.0f) ? value : (value == value ? splat(0.0f) : value);
    }
    put<u16>(w, i->d, Half::narrow(value));
    return i + 1;
}

/// cvt.rn.bf16x2.f32 d, hi, lo: the first source is the upper half.
template <class Half>
const Inst* floats_to_pair(Warp& w, const Inst* i) {
    Lanes<float> high = get<float>(w, i->a), low = get<float>(w, i->b);
    if (i->mods & kRelu) {
        high = high > splat(0.0f) ? high : (high == high ? splat(0.0f) : high);
        low = low > splat(0.0f) ? low : (low == low ? splat(0.0f) : low);
    }
    put<u32>(w, i->d, convert_lanes<u32>(Half::narrow(high)) << splat<u32>(16) | convert_lanes<u32>(Half::narrow(low)));
    return i + 1;
}

/// Ties away from zero, 10 bits of mantissa left.
const Inst* float_to_tf32(Warp& w, const Inst* i) {
    const Lanes<u32> bits = get<u32>(w, i->a);
    const Lanes<u32> rounded = (bits + splat<u32>(0x1000)) & splat<u32>(0xFFFFE000);
    const Lanes<u32> special = (bits & splat<u32>(0x7F800000));
    put<u32>(w, i->d, special == splat<u32>(0x7F800000) ? bits : rounded);
    return i + 1;
}

struct Rounding {
    Round to_integer = Round::None;
    bool nearest = false, zero = false, away = false;
};

Rounding take_rounding(Builder& b) {
    Rounding r;
    r.to_integer = b.take("rni") ? Round::Nearest : b.take("rzi") ? Round::Zero : b.take("rmi") ? Round::Down : b.take("rpi") ? Round::Up : Round::None;
    r.nearest = b.take("rn");
    r.away = b.take("rna");
    return r;
}

template <class D, class S>
Handler with_rounding(Round round) {
    if constexpr (std::is_integral_v<D>) {
        switch (round) {
            case Round::Nearest:
                return float_to_integer<D, S, Round::Nearest>;
            case Round::Zero:
                return float_to_integer<D, S, Round::Zero>;
            case Round::Down:
                return float_to_integer<D, S, Round::Down>;
            case Round::Up:
                return float_to_integer<D, S, Round::Up>;
            default:
                return nullptr;
        }
    } else {
        switch (round) {
            case Round::None:
                return float_to_float<D, S, Round::None>;
            case Round::Nearest:
                return float_to_float<D, S, Round::Nearest>;
            case Round::Zero:
                return float_to_float<D, S, Round::Zero>;
            case Round::Down:
                return float_to_float<D, S, Round::Down>;
            case Round::Up:
                return float_to_float<D, S, Round::Up>;
        }
    }
    return nullptr;
}

void decode_half(Builder& b, Type to, Type from, const Rounding& rounding) {
    if (to == Type::F32) {
        b.require_operands(2, 2);
        if (from == Type::BF16 && b.target_sm() < 90) {
            b.error("cvt from .bf16 needs .target sm_90; shift the bits instead");
        }
        b.inst.a = b.source(1, from);
        b.inst.d = b.target(0, to);
        b.inst.run = from == Type::BF16 ? half_to_float<BFloat16> : half_to_float<Float16>;
        return;
    }
    if (from != Type::F32 || !(rounding.nearest || (to == Type::TF32 && rounding.away))) {
        b.error("this conversion is not supported");
    }
    b.inst.mods |= b.take("relu") ? kRelu : 0;
    b.inst.a = b.source(1, Type::F32);
    if (to == Type::BF16x2 || to == Type::F16x2) {
        b.require_operands(3, 3);
        b.inst.b = b.source(2, Type::F32);
        b.inst.d = b.target(0, to);
        b.inst.run = to == Type::BF16x2 ? floats_to_pair<BFloat16> : floats_to_pair<Float16>;
        return;
    }
    b.require_operands(2, 2);
    b.inst.d = b.target(0, to);
    b.inst.run = to == Type::TF32 ? float_to_tf32 : to == Type::BF16 ? float_to_half<BFloat16> : float_to_half<Float16>;
}

void decode_cvt(Builder& b) {
    const Rounding rounding = take_rounding(b);
    b.inst.mods = (b.take("sat") ? kSaturate : 0) | (b.take("ftz") ? kFlush : 0);
    const Type to = b.take_type(), from = b.take_type();
    const auto half = [](Type t) { return is_float(t) && t != Type::F32 && t != Type::F64; };
    if (half(to) || half(from)) {
        decode_half(b, to, from, rounding);
        return;
    }
    b.require_operands(2, 2);
    u32 bytes;
    if (is_float(from)) {
        b.inst.a = b.source(1, from);
    } else {
        b.inst.a = b.source_any(b.operand(1), from, &bytes);
        b.inst.mods |= bytes << 8;
        if (bytes < type_bytes(from)) {
            b.error("the source register is too small");
        }
    }
    if (is_float(to)) {
        b.inst.d = b.target(0, to);
    } else {
        b.inst.d = b.target_any(b.operand(0), &bytes);
        b.inst.imm = bytes;
        if (bytes < type_bytes(to)) {
            b.error("the result register is too small");
        }
    }
    if (is_float(to) && is_float(from)) {
        const Round round = rounding.to_integer;
        b.inst.run = to == Type::F32 ? (from == Type::F32 ? with_rounding<float, float>(round) : with_rounding<float, double>(round))
                                     : (from == Type::F32 ? with_rounding<double, float>(round) : with_rounding<double, double>(round));
    } else if (is_float(from)) {
        b.inst.run = for_integer(to, [&]<class D>() -> Handler {
            return from == Type::F32 ? with_rounding<D, float>(rounding.to_integer) : with_rounding<D, double>(rounding.to_integer);
        });
    } else if (is_float(to)) {
        b.inst.run = for_integer(from, [&]<class S>() -> Handler {
            return to == Type::F32 ? integer_to_float<float, S> : integer_to_float<double, S>;
        });
    } else {
        b.inst.run = for_integer(to, [&]<class D>() -> Handler {
            return for_integer(from, []<class S>() -> Handler { return integer_to_integer<D, S>; });
        });
    }
}

constexpr OpDecoder kOps[] = {{"cvt", decode_cvt}};

}  // namespace

std::span<const OpDecoder> convert_ops() { return kOps; }

}  // namespace ptxsim
