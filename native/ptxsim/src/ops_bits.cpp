// Bit operations: logic, shifts, fields, permutations, counts.
#include "ops.h"

namespace ptxsim {

namespace {

struct And {
    template <class T>
    static Lanes<T> apply(Lanes<T> a, Lanes<T> b) {
        return a & b;
    }
};

struct Or {
    template <class T>
    static Lanes<T> apply(Lanes<T> a, Lanes<T> b) {
        return a | b;
    }
};

struct Xor {
    template <class T>
    static Lanes<T> apply(Lanes<T> a, Lanes<T> b) {
        return a ^ b;
    }
};

struct Not {
    template <class T>
    static Lanes<T> apply(Lanes<T> a) {
        return ~a;
    }
};

struct Cnot {
    template <class T>
    static Lanes<T> apply(Lanes<T> a) {
        return a == splat<T>(0) ? splat<T>(1) : splat<T>(0);
    }
};

enum class Logic { And, Or, Xor };

template <Logic Op>
const Inst* predicate_logic(Warp& w, const Inst* i) {
    const u32 a = get_predicate(w, i->a), b = get_predicate(w, i->b);
    put_predicate(w, i->d, Op == Logic::And ? a & b : Op == Logic::Or ? a | b : a ^ b);
    return i + 1;
}

const Inst* predicate_not(Warp& w, const Inst* i) {
    put_predicate(w, i->d, ~get_predicate(w, i->a));
    return i + 1;
}

template <class Op, Logic PredicateOp>
void decode_logic(Builder& b) {
    const Type type = b.take_type();
    same_type_operands(b, type, 2);
    b.inst.run = type == Type::Pred ? predicate_logic<PredicateOp>
                                    : for_bits(type, []<class T>() -> Handler { return binary<T, Op>; });
}

void decode_not(Builder& b) {
    const Type type = b.take_type();
    same_type_operands(b, type, 1);
    b.inst.run =
        type == Type::Pred ? predicate_not : for_bits(type, []<class T>() -> Handler { return unary<T, Not>; });
}

void decode_cnot(Builder& b) {
    const Type type = b.take_type();
    same_type_operands(b, type, 1);
    b.inst.run = for_bits(type, []<class T>() -> Handler { return unary<T, Cnot>; });
}

// Amounts of 8 * sizeof(T) and more shift everything out: zeros, or copies of the sign.
template <class T>
const Inst* shift_left(Warp& w, const Inst* i) {
    const Lanes<T> amount = convert_lanes<T>(get<u32>(w, i->b));
    const u32 out = pack(get<u32>(w, i->b) >= splat<u32>(8 * sizeof(T)));
    const Lanes<T> value = get<T>(w, i->a) << (amount & splat<T>(8 * sizeof(T) - 1));
    put<T>(w, i->d, out == 0 ? value : select<T>(out, splat<T>(0), value));
    return i + 1;
}

template <class T>
const Inst* shift_right(Warp& w, const Inst* i) {
    const Lanes<u32> wanted = get<u32>(w, i->b);
    const Lanes<T> value = get<T>(w, i->a);
    const Lanes<T> shifted = value >> convert_lanes<T>(wanted & splat<u32>(8 * sizeof(T) - 1));
    const u32 out = pack(wanted >= splat<u32>(8 * sizeof(T)));
    const Lanes<T> rest = std::is_signed_v<T> ? value >> splat<T>(8 * sizeof(T) - 1) : splat<T>(0);
    put<T>(w, i->d, out == 0 ? shifted : select<T>(out, rest, shifted));
    return i + 1;
}

void shift_operands(Builder& b, Type type) {
    b.require_operands(3, 3);
    b.inst.a = b.source(1, type);
    b.inst.b = b.source(2, Type::U32);
    b.inst.d = b.target(0, type);
}

void decode_shl(Builder& b) {
    const Type type = b.take_type();
    shift_operands(b, type);
    b.inst.run = for_bits(type, []<class T>() -> Handler { return shift_left<T>; });
}

void decode_shr(Builder& b) {
    const Type type = b.take_type();
    shift_operands(b, type);
    b.inst.run = for_arithmetic(type, []<class T>() -> Handler { return shift_right<T>; });
}

/// Funnel shift of {b,a}: left keeps the upper word, right the lower one.
template <bool Left, bool Wrap>
const Inst* funnel(Warp& w, const Inst* i) {
    const Lanes<u64> both =
        convert_lanes<u64>(get<u32>(w, i->b)) << splat<u64>(32) | convert_lanes<u64>(get<u32>(w, i->a));
    const Lanes<u32> wanted = get<u32>(w, i->c);
    const Lanes<u32> clamped = wanted > splat<u32>(32) ? splat<u32>(32) : wanted;
    const Lanes<u64> amount = convert_lanes<u64>(Wrap ? wanted & splat<u32>(31) : clamped);
    put<u32>(w, i->d, convert_lanes<u32>(Left ? (both << amount) >> splat<u64>(32) : both >> amount));
    return i + 1;
}

void decode_shf(Builder& b) {
    const bool left = b.take("l"), right = b.take("r"), wrap = b.take("wrap"), clamp = b.take("clamp");
    if (left == right || wrap == clamp) {
        b.error("wants .l or .r and .wrap or .clamp");
    }
    same_type_operands(b, b.take_type(), 3);
    b.inst.run =
        left ? (wrap ? funnel<true, true> : funnel<true, false>) : (wrap ? funnel<false, true> : funnel<false, false>);
}

/// Any function of three bits, given by its table.
const Inst* lop3(Warp& w, const Inst* i) {
    const Lanes<u32> a = get<u32>(w, i->a), b = get<u32>(w, i->b), c = get<u32>(w, i->c);
    Lanes<u32> r = splat<u32>(0);
    for (u32 k = 0; k < 8; k++) {
        if (i->imm >> k & 1) {
            r |= (k & 4 ? a : ~a) & (k & 2 ? b : ~b) & (k & 1 ? c : ~c);
        }
    }
    put<u32>(w, i->d, r);
    return i + 1;
}

void decode_lop3(Builder& b) {
    const Type type = b.take_type();
    b.require_operands(5, 5);
    b.inst.a = b.source(1, type);
    b.inst.b = b.source(2, type);
    b.inst.c = b.source(3, type);
    b.inst.imm = (i64)b.integer(4);
    b.inst.d = b.target(0, type);
    b.inst.run = type_bytes(type) == 4 ? lop3 : nullptr;
}

/// Default mode of prmt: each nibble of c picks one of eight bytes, or copies of its sign.
const Inst* prmt(Warp& w, const Inst* i) {
    const Lanes<u32> a = get<u32>(w, i->a), b = get<u32>(w, i->b), c = get<u32>(w, i->c);
    const auto permute = [](u32 low, u32 high, u32 picks) {
        const u64 both = (u64)high << 32 | low;
        u32 value = 0;
        for (u32 k = 0; k < 4; k++) {
            const u32 pick = picks >> (4 * k);
            const u32 byte = (u8)(both >> (8 * (pick & 7)));
            value |= (pick & 8 ? (byte & 0x80 ? 0xFFu : 0u) : byte) << (8 * k);
        }
        return value;
    };
    put<u32>(w, i->d, map_lanes<u32>(permute, a, b, c));
    return i + 1;
}

void decode_prmt(Builder& b) {
    same_type_operands(b, b.take_type(), 3);
    b.inst.run = prmt;
}

template <class T>
T extract_field(T value, u32 position, u32 length) {
    constexpr u32 kBits = 8 * sizeof(T);
    position &= 0xFF;
    length &= 0xFF;
    const u32 top = std::min(position + length - 1, kBits - 1);
    const T sign = std::is_signed_v<T> && length != 0 ? (T)(value >> top & 1 ? -1 : 0) : (T)0;
    if (length == 0) {
        return 0;
    }
    if (position >= kBits) {
        return sign;
    }
    using U = UnsignedOf<T>;
    const u32 have = std::min(length, kBits - position);
    U field = (U)((U)value >> position);
    if (have < kBits) {
        field &= ((U)1 << have) - 1;
    }
    if (have < kBits && std::is_signed_v<T>) {
        field |= (U)sign << have;
    }
    return (T)field;
}

template <class T>
const Inst* field_extract(Warp& w, const Inst* i) {
    const Lanes<T> a = get<T>(w, i->a);
    const Lanes<u32> b = get<u32>(w, i->b), c = get<u32>(w, i->c);
    put<T>(w, i->d,
           map_lanes<T>([](T value, u32 position, u32 length) { return extract_field<T>(value, position, length); }, a,
                        b, c));
    return i + 1;
}

void decode_bfe(Builder& b) {
    const Type type = b.take_type();
    b.require_operands(4, 4);
    b.inst.a = b.source(1, type);
    b.inst.b = b.source(2, Type::U32);
    b.inst.c = b.source(3, Type::U32);
    b.inst.d = b.target(0, type);
    b.inst.run =
        type_bytes(type) < 4 ? nullptr : for_integer(type, []<class T>() -> Handler { return field_extract<T>; });
}

template <class T>
const Inst* field_insert(Warp& w, const Inst* i) {
    const Lanes<T> from = get<T>(w, i->a), into = get<T>(w, i->b);
    const Lanes<u32> positions = get<u32>(w, i->c), lengths = get<u32>(w, i->list[0]);
    const auto insert = [](T bits, T base, u32 position, u32 length) {
        constexpr u32 kBits = 8 * sizeof(T);
        position &= 0xFF;
        length = std::min(length & 0xFF, kBits);
        if (length == 0 || position >= kBits) {
            return base;
        }
        const T field = length == kBits ? ~(T)0 : (T)(((T)1 << length) - 1);
        const T mask = (T)(field << position);
        return (T)((base & ~mask) | ((T)(bits << position) & mask));
    };
    put<T>(w, i->d, map_lanes<T>(insert, from, into, positions, lengths));
    return i + 1;
}

void decode_bfi(Builder& b) {
    const Type type = b.take_type();
    b.require_operands(5, 5);
    b.inst.a = b.source(1, type);
    b.inst.b = b.source(2, type);
    b.inst.c = b.source(3, Type::U32);
    b.list()[0] = b.source(4, Type::U32);
    b.inst.d = b.target(0, type);
    b.inst.run = type_bytes(type) == 4 ? field_insert<u32> : type_bytes(type) == 8 ? field_insert<u64> : nullptr;
}

template <class T>
u32 count_ones(T value) {
    return (u32)std::popcount(value);
}

template <class T>
u32 count_leading_zeros(T value) {
    return (u32)std::countl_zero(value);
}

template <class T, u32 (*Count)(T)>
const Inst* count(Warp& w, const Inst* i) {
    put<u32>(w, i->d, map_lanes<u32>(Count, slot<T>(w, i->a)));
    return i + 1;
}

void count_operands(Builder& b, Type type) {
    b.require_operands(2, 2);
    b.inst.a = b.source(1, type);
    b.inst.d = b.target(0, Type::U32);
}

void decode_popc(Builder& b) {
    const Type type = b.take_type();
    count_operands(b, type);
    b.inst.run = type_bytes(type) == 4   ? count<u32, count_ones<u32>>
                 : type_bytes(type) == 8 ? count<u64, count_ones<u64>>
                                         : nullptr;
}

void decode_clz(Builder& b) {
    const Type type = b.take_type();
    count_operands(b, type);
    b.inst.run = type_bytes(type) == 4   ? count<u32, count_leading_zeros<u32>>
                 : type_bytes(type) == 8 ? count<u64, count_leading_zeros<u64>>
                                         : nullptr;
}

/// Position of the most significant bit (for signed numbers: that differs from the sign), or all ones.
template <class T, bool ShiftAmount>
const Inst* bfind(Warp& w, const Inst* i) {
    using U = UnsignedOf<T>;
    const auto find = [](T value) {
        const U bits = std::is_signed_v<T> && value < 0 ? ~(U)value : (U)value;
        const u32 zeros = (u32)std::countl_zero(bits);
        return bits == 0 ? ~0u : ShiftAmount ? zeros : (u32)(8 * sizeof(T) - 1) - zeros;
    };
    put<u32>(w, i->d, map_lanes<u32>(find, slot<T>(w, i->a)));
    return i + 1;
}

void decode_bfind(Builder& b) {
    const bool amount = b.take("shiftamt");
    const Type type = b.take_type();
    count_operands(b, type);
    b.inst.run = type_bytes(type) < 4 ? nullptr
                 : amount             ? for_integer(type, []<class T>() -> Handler { return bfind<T, true>; })
                                      : for_integer(type, []<class T>() -> Handler { return bfind<T, false>; });
}

template <class T>
const Inst* brev(Warp& w, const Inst* i) {
    const auto reverse = [](T value) {
        return sizeof(T) == 4 ? (T)__builtin_bitreverse32((u32)value) : (T)__builtin_bitreverse64(value);
    };
    put<T>(w, i->d, map_lanes<T>(reverse, slot<T>(w, i->a)));
    return i + 1;
}

void decode_brev(Builder& b) {
    const Type type = b.take_type();
    same_type_operands(b, type, 1);
    b.inst.run = type_bytes(type) == 4 ? brev<u32> : type_bytes(type) == 8 ? brev<u64> : nullptr;
}

constexpr OpDecoder kOps[] = {
    {"and", decode_logic<And, Logic::And>},
    {"or", decode_logic<Or, Logic::Or>},
    {"xor", decode_logic<Xor, Logic::Xor>},
    {"not", decode_not},
    {"cnot", decode_cnot},
    {"shl", decode_shl},
    {"shr", decode_shr},
    {"shf", decode_shf},
    {"lop3", decode_lop3},
    {"prmt", decode_prmt},
    {"bfe", decode_bfe},
    {"bfi", decode_bfi},
    {"popc", decode_popc},
    {"clz", decode_clz},
    {"bfind", decode_bfind},
    {"brev", decode_brev},
};

}  // namespace

std::span<const OpDecoder> bit_ops() {
    return kOps;
}

}  // namespace ptxsim
