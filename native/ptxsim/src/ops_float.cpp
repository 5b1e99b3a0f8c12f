// Arithmetic of f32 and f64, and the approximate functions. Rounding is to nearest even; other modes are refused.
#include "ops_float.h"

#include "approx.h"
#include "ops.h"

namespace ptxsim {

namespace {

constexpr u32 kFlush = 1;     // .ftz: denormal operands and results are zeros of the same sign
constexpr u32 kSaturate = 2;  // .sat: the result is clamped to [0, 1], NaN becomes 0
constexpr u32 kNan = 4;       // .NaN: min and max pass NaN on

template <class T>
PTXSIM_INLINE Lanes<T> flush(Lanes<T> x) {
    if constexpr (std::is_same_v<T, float>) {
        const Lanes<u32> bits = __builtin_bit_cast(Lanes<u32>, x);
        const Lanes<u32> kept = (bits & splat<u32>(0x7F800000)) != splat<u32>(0) ? bits : bits & splat<u32>(0x80000000);
        return __builtin_bit_cast(Lanes<T>, kept);
    }
    return x;
}

template <class T>
PTXSIM_INLINE Lanes<T> read(Warp& w, const Inst* i, u32 offset) {
    const Lanes<T> value = get<T>(w, offset);
    return i->mods & kFlush ? flush<T>(value) : value;
}

template <class T>
PTXSIM_INLINE void write(Warp& w, const Inst* i, Lanes<T> value) {
    if (i->mods & kFlush) {
        value = flush<T>(value);
    }
    if (i->mods & kSaturate) {
        value = value > splat<T>(0) ? value : splat<T>(0);
        value = value < splat<T>(1) ? value : splat<T>(1);
    }
    put<T>(w, i->d, value);
}

template <class T, class Op>
const Inst* float_unary(Warp& w, const Inst* i) {
    write<T>(w, i, Op::template apply<T>(read<T>(w, i, i->a)));
    return i + 1;
}

template <class T, class Op>
const Inst* float_binary(Warp& w, const Inst* i) {
    write<T>(w, i, Op::template apply<T>(read<T>(w, i, i->a), read<T>(w, i, i->b)));
    return i + 1;
}

struct Add {
    template <class T>
    static Lanes<T> apply(Lanes<T> a, Lanes<T> b) {
        return a + b;
    }
};

struct Sub {
    template <class T>
    static Lanes<T> apply(Lanes<T> a, Lanes<T> b) {
        return a - b;
    }
};

struct Mul {
    template <class T>
    static Lanes<T> apply(Lanes<T> a, Lanes<T> b) {
        return a * b;
    }
};

struct Div {
    template <class T>
    static Lanes<T> apply(Lanes<T> a, Lanes<T> b) {
        return a / b;
    }
};

struct CopySign {
    template <class T>
    static Lanes<T> apply(Lanes<T> sign, Lanes<T> magnitude) {
        return __builtin_elementwise_copysign(magnitude, sign);
    }
};

struct Abs {
    template <class T>
    static Lanes<T> apply(Lanes<T> a) {
        return __builtin_elementwise_abs(a);
    }
};

struct Neg {
    template <class T>
    static Lanes<T> apply(Lanes<T> a) {
        return -a;
    }
};

struct Sqrt {
    template <class T>
    static Lanes<T> apply(Lanes<T> a) {
        return __builtin_elementwise_sqrt(a);
    }
};

struct Rsqrt {
    template <class T>
    static Lanes<T> apply(Lanes<T> a) {
        return splat<T>(1) / __builtin_elementwise_sqrt(a);
    }
};

struct Rcp {
    template <class T>
    static Lanes<T> apply(Lanes<T> a) {
        return splat<T>(1) / a;
    }
};

template <Lanes<float> (*Function)(Lanes<float>)>
struct Approx {
    template <class T>
    static Lanes<T> apply(Lanes<T> a) {
        return Function(a);
    }
};

/// The number where only one operand is NaN, unless .NaN; -0 is less than +0.
template <class T, bool Larger>
const Inst* min_max(Warp& w, const Inst* i) {
    const Lanes<T> a = read<T>(w, i, i->a), b = read<T>(w, i, i->b);
    Lanes<T> r = Larger ? (a > b ? a : b) : (a < b ? a : b);
    const Lanes<SignedOf<T>> sign_a = __builtin_bit_cast(Lanes<SignedOf<T>>, a);
    r = a == b ? ((sign_a < splat<SignedOf<T>>(0)) == splat<SignedOf<T>>(Larger ? 0 : -1) ? a : b) : r;
    r = a == a ? r : b;
    r = b == b ? r : a;
    if (i->mods & kNan) {
        r = a == a ? r : a;
        r = b == b ? r : b;
    }
    write<T>(w, i, r);
    return i + 1;
}

template <class T>
const Inst* fused_multiply_add(Warp& w, const Inst* i) {
    write<T>(w, i, __builtin_elementwise_fma(read<T>(w, i, i->a), read<T>(w, i, i->b), read<T>(w, i, i->c)));
    return i + 1;
}

float from_bf16(u16 bits) {
    return std::bit_cast<float>((u32)bits << 16);
}

u16 to_bf16(float value) {
    const u32 bits = std::bit_cast<u32>(value);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) {
        return 0x7FFF;
    }
    return (u16)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/// bf16 fma rounds once; the product of two bf16 is exact in f32, so is the double sum.
u16 fma_bf16(u16 a, u16 b, u16 c) {
    const double exact = (double)from_bf16(a) * (double)from_bf16(b) + (double)from_bf16(c);
    // To odd first, so that the second rounding cannot undo the first.
    float near = (float)exact;
    if ((double)near != exact && near == near && std::isfinite(near) && (std::bit_cast<u32>(near) & 1) == 0) {
        const bool up = std::abs(exact) > std::abs((double)near);
        near = std::bit_cast<float>(std::bit_cast<u32>(near) + (up ? 1 : -1));
    }
    return to_bf16(near);
}

template <u32 Halves>
const Inst* fused_bf16(Warp& w, const Inst* i) {
    using T = std::conditional_t<Halves == 2, u32, u16>;
    const Lanes<T> a = get<T>(w, i->a), b = get<T>(w, i->b), c = get<T>(w, i->c);
    const auto fuse = [](T x, T y, T z) {
        u32 value = 0;
        for (u32 h = 0; h < Halves; h++) {
            value |= (u32)fma_bf16((u16)((u32)x >> (16 * h)), (u16)((u32)y >> (16 * h)), (u16)((u32)z >> (16 * h)))
                     << (16 * h);
        }
        return (T)value;
    };
    put<T>(w, i->d, map_lanes<T>(fuse, a, b, c));
    return i + 1;
}

void float_modifiers(Builder& b) {
    b.inst.mods |= b.take("ftz") ? kFlush : 0;
    b.inst.mods |= b.take("sat") ? kSaturate : 0;
    b.take("rn");
}

template <class Op>
void decode_binary(Builder& b, Type type) {
    float_modifiers(b);
    same_type_operands(b, type, 2);
    b.inst.run = for_float(type, []<class T>() -> Handler { return float_binary<T, Op>; });
    b.counts().flops++;
}

template <class Op>
void decode_unary(Builder& b, Type type) {
    float_modifiers(b);
    b.take("approx");
    same_type_operands(b, type, 1);
    b.inst.run = for_float(type, []<class T>() -> Handler { return float_unary<T, Op>; });
    b.counts().flops++;
}

template <class Op>
void decode_named(Builder& b) {
    decode_unary<Op>(b, b.take_type());
}

template <Lanes<float> (*Function)(Lanes<float>)>
void decode_approx(Builder& b) {
    const Type type = b.take_type();
    if (!b.take("approx") || type != Type::F32) {
        b.error("only .approx.f32 exists");
    }
    float_modifiers(b);
    same_type_operands(b, type, 1);
    b.inst.run = float_unary<float, Approx<Function>>;
    b.counts().flops++;
}

void decode_fma(Builder& b) {
    const Type type = b.take_type();
    float_modifiers(b);
    same_type_operands(b, type, 3);
    b.counts().flops += type == Type::BF16x2 ? 4 : 2;
    b.inst.run = type == Type::BF16     ? fused_bf16<1>
                 : type == Type::BF16x2 ? fused_bf16<2>
                                        : for_float(type, []<class T>() -> Handler { return fused_multiply_add<T>; });
}

void decode_copysign(Builder& b) {
    const Type type = b.take_type();
    same_type_operands(b, type, 2);
    b.inst.run = for_float(type, []<class T>() -> Handler { return float_binary<T, CopySign>; });
}

template <bool Larger>
void decode_min_max(Builder& b, Type type) {
    float_modifiers(b);
    b.inst.mods |= b.take("NaN") ? kNan : 0;
    same_type_operands(b, type, 2);
    b.inst.run = for_float(type, []<class T>() -> Handler { return min_max<T, Larger>; });
    b.counts().flops++;
}

constexpr OpDecoder kOps[] = {
    {"fma", decode_fma},
    {"sqrt", decode_named<Sqrt>},
    {"rsqrt", decode_named<Rsqrt>},
    {"rcp", decode_named<Rcp>},
    {"ex2", decode_approx<approx::ex2>},
    {"lg2", decode_approx<approx::lg2>},
    {"sin", decode_approx<approx::sin>},
    {"cos", decode_approx<approx::cos>},
    {"tanh", decode_approx<approx::tanh>},
    {"copysign", decode_copysign},
};

}  // namespace

void decode_float_add(Builder& b, Type type) {
    decode_binary<Add>(b, type);
}
void decode_float_sub(Builder& b, Type type) {
    decode_binary<Sub>(b, type);
}
void decode_float_mul(Builder& b, Type type) {
    decode_binary<Mul>(b, type);
}
void decode_float_min(Builder& b, Type type) {
    decode_min_max<false>(b, type);
}
void decode_float_max(Builder& b, Type type) {
    decode_min_max<true>(b, type);
}
void decode_float_abs(Builder& b, Type type) {
    decode_unary<Abs>(b, type);
}
void decode_float_neg(Builder& b, Type type) {
    decode_unary<Neg>(b, type);
}

void decode_float_div(Builder& b, Type type) {
    b.take("approx");
    b.take("full");
    decode_binary<Div>(b, type);
}

std::span<const OpDecoder> float_ops() {
    return kOps;
}

}  // namespace ptxsim
