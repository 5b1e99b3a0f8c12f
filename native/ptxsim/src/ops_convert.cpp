// cvt: every pair of integer and float types, and the packed forms.
#include <limits>

#include "halves.h"
#include "ops.h"

namespace ptxsim {

namespace {

constexpr u32 kSaturate = 1, kFlush = 2, kRelu = 4;

enum class Round : u8 { None, Nearest, Zero, Down, Up };

/// An integer result in a register of imm bytes: PTX lets the destination be wider than the type.
template <class D>
void put_extended(Warp& w, const Inst* i, Lanes<D> value) {
    using Wide = std::conditional_t<std::is_signed_v<D>, i64, u64>;
    using Word = std::conditional_t<std::is_signed_v<D>, i32, u32>;
    switch (i->imm) {
        case 2:
            put<u16>(w, i->d, convert_lanes<u16>(value));
            break;
        case 4:
            put<u32>(w, i->d, (Lanes<u32>)convert_lanes<Word>(value));
            break;
        default:
            put<u64>(w, i->d, (Lanes<u64>)convert_lanes<Wide>(value));
            break;
    }
}

/// The whole source register, whatever its width, as 64 bits.
Lanes<u64> read_register(Warp& w, const Inst* i) {
    switch (i->mods >> 8 & 0xFF) {
        case 2:
            return convert_lanes<u64>(get<u16>(w, i->a));
        case 4:
            return convert_lanes<u64>(get<u32>(w, i->a));
        default:
            return get<u64>(w, i->a);
    }
}

/// The low bits of the source register, as the type that the opcode names.
template <class S>
Lanes<S> read_low(Warp& w, const Inst* i) {
    if ((i->mods >> 8 & 0xFF) == sizeof(S)) {
        return get<S>(w, i->a);
    }
    return convert_lanes<S>(read_register(w, i));
}

/// The common widenings and narrowings between whole registers.
template <class D, class S>
const Inst* resize(Warp& w, const Inst* i) {
    put<D>(w, i->d, convert_lanes<D>(get<S>(w, i->a)));
    return i + 1;
}

struct IntegerForm {
    u32 bits;
    bool is_signed;
};

i64 extend(u64 value, IntegerForm form) {
    const u32 shift = 64 - form.bits;
    return form.is_signed ? (i64)(value << shift) >> shift : (i64)(value << shift >> shift);
}

/// Any other pair of integer types. mods 16-23: source bits and sign, 24-31: result bits and sign.
const Inst* integer_to_integer(Warp& w, const Inst* i) {
    const IntegerForm from{(i->mods >> 16 & 0x7F), (i->mods >> 23 & 1) != 0},
        to{(i->mods >> 24 & 0x7F), (i->mods >> 31 & 1) != 0};
    const bool saturate = (i->mods & kSaturate) != 0;
    const auto convert = [=](u64 bits) {
        __int128 value = from.is_signed ? (__int128)extend(bits, from) : (__int128)(u64)extend(bits, from);
        if (saturate) {
            const __int128 low = to.is_signed ? -((__int128)1 << (to.bits - 1)) : 0;
            const __int128 high = ((__int128)1 << (to.bits - to.is_signed)) - 1;
            value = value < low ? low : value > high ? high : value;
        }
        return (u64)extend((u64)value, to);
    };
    const Lanes<u64> result = map_lanes<u64>(convert, read_register(w, i));
    switch (i->imm) {
        case 2:
            put<u16>(w, i->d, convert_lanes<u16>(result));
            break;
        case 4:
            put<u32>(w, i->d, convert_lanes<u32>(result));
            break;
        default:
            put<u64>(w, i->d, result);
            break;
    }
    return i + 1;
}

Handler resize_handler(u32 to, u32 from, bool is_signed) {
    switch (to * 16 + from) {
        case 8 * 16 + 4:
            return is_signed ? resize<i64, i32> : resize<u64, u32>;
        case 4 * 16 + 8:
            return resize<u32, u64>;
        case 4 * 16 + 2:
            return is_signed ? resize<i32, i16> : resize<u32, u16>;
        case 2 * 16 + 4:
            return resize<u16, u32>;
        case 8 * 16 + 2:
            return is_signed ? resize<i64, i16> : resize<u64, u16>;
        default:
            return nullptr;
    }
}

void decode_integers(Builder& b, Type to, Type from, u32 to_register, u32 from_register) {
    const u32 to_bytes = type_bytes(to), from_bytes = type_bytes(from);
    if (to_bytes == to_register && from_bytes == from_register && !(b.inst.mods & kSaturate)) {
        b.inst.run = resize_handler(to_bytes, from_bytes, is_signed(from));
    }
    if (b.inst.run == nullptr) {
        b.inst.mods |=
            from_bytes * 8 << 16 | (u32)is_signed(from) << 23 | to_bytes * 8 << 24 | (u32)is_signed(to) << 31;
        b.inst.run = integer_to_integer;
    }
}

template <class D, class S>
const Inst* integer_to_float(Warp& w, const Inst* i) {
    if constexpr (sizeof(S) <= 4) {
        put<D>(w, i->d, convert_lanes<D>(read_low<S>(w, i)));
    } else {
        put<D>(w, i->d, map_lanes<D>([](S value) { return (D)value; }, read_low<S>(w, i)));
    }
    return i + 1;
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

/// Out of range goes to the nearest end, NaN to zero.
template <class D, class S, Round R>
const Inst* float_to_integer(Warp& w, const Inst* i) {
    const Lanes<S> value = round_lanes<S, R>(get<S>(w, i->a));
    // The first float beyond each end; both are powers of two, hence exact.
    constexpr S high = (S)((unsigned __int128)1 << (8 * sizeof(D) - std::is_signed_v<D>));
    constexpr S low = std::is_signed_v<D> ? -high : (S)0;
    const auto convert = [=](S v) {
        return v != v      ? (D)0
               : v >= high ? std::numeric_limits<D>::max()
               : v <= low  ? std::numeric_limits<D>::min()
                           : (D)v;
    };
    put_extended<D>(w, i, map_lanes<D>(convert, value));
    return i + 1;
}

Lanes<float> flush(Lanes<float> x) {
    const Lanes<u32> bits = __builtin_bit_cast(Lanes<u32>, x);
    return __builtin_bit_cast(Lanes<float>,
                              (bits & splat<u32>(0x7F800000)) != splat<u32>(0) ? bits : bits & splat<u32>(0x80000000));
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
    r.to_integer = b.take("rni")   ? Round::Nearest
                   : b.take("rzi") ? Round::Zero
                   : b.take("rmi") ? Round::Down
                   : b.take("rpi") ? Round::Up
                                   : Round::None;
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
    u32 bytes = 0, bytes_from = 0;
    if (is_float(from)) {
        b.inst.a = b.source(1, from);
    } else {
        b.inst.a = b.source_any(b.operand(1), from, &bytes_from);
        // An immediate of a byte sits in a slot of 16 bits, as a register would.
        bytes_from = std::max(bytes_from, 2u);
        if (bytes_from < type_bytes(from)) {
            b.error("the source register is too small");
        }
        b.inst.mods |= bytes_from << 8;
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
        b.inst.run =
            to == Type::F32
                ? (from == Type::F32 ? with_rounding<float, float>(round) : with_rounding<float, double>(round))
                : (from == Type::F32 ? with_rounding<double, float>(round) : with_rounding<double, double>(round));
    } else if (is_float(from)) {
        b.inst.run = for_integer(to, [&]<class D>() -> Handler {
            return from == Type::F32 ? with_rounding<D, float>(rounding.to_integer)
                                     : with_rounding<D, double>(rounding.to_integer);
        });
    } else if (is_float(to)) {
        b.inst.run = for_integer(from, [&]<class S>() -> Handler {
            return to == Type::F32 ? integer_to_float<float, S> : integer_to_float<double, S>;
        });
    } else {
        decode_integers(b, to, from, (u32)b.inst.imm, bytes_from);
    }
}

constexpr OpDecoder kOps[] = {{"cvt", decode_cvt}};

}  // namespace

std::span<const OpDecoder> convert_ops() {
    return kOps;
}

}  // namespace ptxsim
