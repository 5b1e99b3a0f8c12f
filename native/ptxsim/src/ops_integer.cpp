// Integer arithmetic. add, sub, mul, min, max, abs and neg share their names with the float forms: see
// ops_arithmetic.cpp.
#include "ops_integer.h"

#include "ops.h"

namespace ptxsim {

namespace {

template <class T>
using Double =
    std::conditional_t<sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, i32, u32>,
                       std::conditional_t<sizeof(T) == 4, std::conditional_t<std::is_signed_v<T>, i64, u64>,
                                          std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>>>;

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

struct MulLo {
    template <class T>
    static Lanes<T> apply(Lanes<T> a, Lanes<T> b) {
        return a * b;
    }
};

struct MulHi {
    template <class T>
    static Lanes<T> apply(Lanes<T> a, Lanes<T> b) {
        return map_lanes<T>([](T x, T y) { return (T)(((Double<T>)x * (Double<T>)y) >> (8 * sizeof(T))); }, a, b);
    }
};

struct MadLo {
    template <class T>
    static Lanes<T> apply(Lanes<T> a, Lanes<T> b, Lanes<T> c) {
        return a * b + c;
    }
};

struct MadHi {
    template <class T>
    static Lanes<T> apply(Lanes<T> a, Lanes<T> b, Lanes<T> c) {
        return MulHi::apply<T>(a, b) + c;
    }
};

struct Div {
    template <class T>
    static Lanes<T> apply(Lanes<T> a, Lanes<T> b) {
        // Zero is undefined on the device too; here it must not stop the process.
        const auto divide = [](T x, T by) {
            return by == 0 ? (T)-1 : std::is_signed_v<T> && by == (T)-1 ? (T)(0 - (u64)x) : (T)(x / by);
        };
        return map_lanes<T>(divide, a, b);
    }
};

struct Rem {
    template <class T>
    static Lanes<T> apply(Lanes<T> a, Lanes<T> b) {
        const auto remainder = [](T x, T by) {
            return by == 0 ? x : std::is_signed_v<T> && by == (T)-1 ? (T)0 : (T)(x % by);
        };
        return map_lanes<T>(remainder, a, b);
    }
};

struct Min {
    template <class T>
    static Lanes<T> apply(Lanes<T> a, Lanes<T> b) {
        return a < b ? a : b;
    }
};

struct Max {
    template <class T>
    static Lanes<T> apply(Lanes<T> a, Lanes<T> b) {
        return a > b ? a : b;
    }
};

struct Abs {
    template <class T>
    static Lanes<T> apply(Lanes<T> a) {
        return a < splat<T>(0) ? -a : a;
    }
};

struct Neg {
    template <class T>
    static Lanes<T> apply(Lanes<T> a) {
        return -a;
    }
};

template <class T>
const Inst* mul_wide(Warp& w, const Inst* i) {
    using W = Double<T>;
    put<W>(w, i->d, convert_lanes<W>(get<T>(w, i->a)) * convert_lanes<W>(get<T>(w, i->b)));
    return i + 1;
}

template <class T>
const Inst* mad_wide(Warp& w, const Inst* i) {
    using W = Double<T>;
    put<W>(w, i->d, convert_lanes<W>(get<T>(w, i->a)) * convert_lanes<W>(get<T>(w, i->b)) + get<W>(w, i->c));
    return i + 1;
}

Type doubled(Type type) {
    switch (type) {
        case Type::U16:
            return Type::U32;
        case Type::S16:
            return Type::S32;
        case Type::U32:
            return Type::U64;
        default:
            return Type::S64;
    }
}

template <class F>
Handler for_widening(Type type, F f) {
    switch (type) {
        case Type::U16:
            return f.template operator()<u16>();
        case Type::S16:
            return f.template operator()<i16>();
        case Type::U32:
            return f.template operator()<u32>();
        case Type::S32:
            return f.template operator()<i32>();
        default:
            return nullptr;
    }
}

template <class Op>
void decode_bits(Builder& b, Type type) {
    same_type_operands(b, type, 2);
    b.inst.run = for_bits(type, []<class T>() -> Handler { return binary<T, Op>; });
}

template <class Op>
void decode_binary(Builder& b, Type type) {
    same_type_operands(b, type, 2);
    b.inst.run = for_arithmetic(type, []<class T>() -> Handler { return binary<T, Op>; });
}

void decode_mad(Builder& b) {
    const bool wide = b.take("wide"), hi = b.take("hi");
    b.take("lo");
    const Type type = b.take_type();
    if (type == Type::F32 || type == Type::F64) {
        b.error("use fma");
    }
    b.require_operands(4, 4);
    b.inst.a = b.source(1, type);
    b.inst.b = b.source(2, type);
    b.inst.c = b.source(3, wide ? doubled(type) : type);
    b.inst.d = b.target(0, wide ? doubled(type) : type);
    b.inst.run = wide ? for_widening(type, []<class T>() -> Handler { return mad_wide<T>; })
                 : hi ? for_arithmetic(type, []<class T>() -> Handler { return ternary<T, MadHi>; })
                      : for_bits(type, []<class T>() -> Handler { return ternary<T, MadLo>; });
}

void decode_rem(Builder& b) {
    decode_binary<Rem>(b, b.take_type());
}

/// Four products of bytes and a sum: dp4a.atype.btype d, a, b, c.
template <class A, class B>
const Inst* dp4a(Warp& w, const Inst* i) {
    const Lanes<u32> a = get<u32>(w, i->a), b = get<u32>(w, i->b);
    Lanes<i32> sum = get<i32>(w, i->c);
    for (u32 k = 0; k < 4; k++) {
        sum += map_lanes<i32>([k](u32 x, u32 y) { return (i32)(A)(x >> (8 * k)) * (i32)(B)(y >> (8 * k)); }, a, b);
    }
    put<i32>(w, i->d, sum);
    return i + 1;
}

void decode_dp4a(Builder& b) {
    const Type first = b.take_type(), second = b.take_type();
    same_type_operands(b, Type::B32, 3);
    const bool sa = is_signed(first), sb = is_signed(second);
    b.inst.run = sa ? (sb ? dp4a<i8, i8> : dp4a<i8, u8>) : (sb ? dp4a<u8, i8> : dp4a<u8, u8>);
}

constexpr OpDecoder kOps[] = {{"mad", decode_mad}, {"rem", decode_rem}, {"dp4a", decode_dp4a}};

}  // namespace

void decode_integer_add(Builder& b, Type type) {
    decode_bits<Add>(b, type);
}
void decode_integer_sub(Builder& b, Type type) {
    decode_bits<Sub>(b, type);
}
void decode_integer_div(Builder& b, Type type) {
    decode_binary<Div>(b, type);
}
void decode_integer_min(Builder& b, Type type) {
    decode_binary<Min>(b, type);
}
void decode_integer_max(Builder& b, Type type) {
    decode_binary<Max>(b, type);
}

void decode_integer_mul(Builder& b, Type type, bool wide, bool hi) {
    if (!wide) {
        hi ? decode_binary<MulHi>(b, type) : decode_bits<MulLo>(b, type);
        return;
    }
    b.require_operands(3, 3);
    b.inst.a = b.source(1, type);
    b.inst.b = b.source(2, type);
    b.inst.d = b.target(0, doubled(type));
    b.inst.run = for_widening(type, []<class T>() -> Handler { return mul_wide<T>; });
}

void decode_integer_abs(Builder& b, Type type) {
    same_type_operands(b, type, 1);
    b.inst.run = for_arithmetic(type, []<class T>() -> Handler { return unary<T, Abs>; });
}

void decode_integer_neg(Builder& b, Type type) {
    same_type_operands(b, type, 1);
    b.inst.run = for_bits(type, []<class T>() -> Handler { return unary<T, Neg>; });
}

std::span<const OpDecoder> integer_ops() {
    return kOps;
}

}  // namespace ptxsim
