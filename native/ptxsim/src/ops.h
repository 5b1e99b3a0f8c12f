// Helpers that every handler uses: reading and writing frame slots, choosing a template by PTX type.
#pragma once
#include "builder.h"
#include "warp.h"

namespace ptxsim {

template <class T>
PTXSIM_INLINE Lanes<T>& slot(Warp& w, u32 offset) {
    return *reinterpret_cast<Lanes<T>*>(w.frame + offset);
}

template <class T>
PTXSIM_INLINE Lanes<T> get(Warp& w, u32 offset) {
    return slot<T>(w, offset);
}

template <class T>
PTXSIM_INLINE void put(Warp& w, u32 offset, Lanes<T> value) {
    if (w.uniform) [[likely]] {
        slot<T>(w, offset) = value;
    } else {
        slot<T>(w, offset) = select<T>(w.mask, value, slot<T>(w, offset));
    }
}

PTXSIM_INLINE Origins& origins(Warp& w, u32 offset) {
    return w.origins[offset / sizeof(Lanes<u32>)];
}

PTXSIM_INLINE void put_origins(Warp& w, u32 offset, const Lanes<u64>& low, const Lanes<u64>& high) {
    Origins& to = origins(w, offset);
    to.low = w.uniform ? low : select<u64>(w.mask, low, to.low);
    to.high = w.uniform ? high : select<u64>(w.mask, high, to.high);
}

PTXSIM_INLINE u32 get_predicate(Warp& w, u32 offset) {
    return *reinterpret_cast<u32*>(w.frame + offset);
}

PTXSIM_INLINE void put_predicate(Warp& w, u32 offset, u32 bits) {
    u32& word = *reinterpret_cast<u32*>(w.frame + offset);
    word = (word & ~w.mask) | (bits & w.mask);
}

/// The address operand of a record, as 64-bit values, displacement added.
PTXSIM_INLINE Lanes<u64> addresses(Warp& w, const Inst* i) {
    const Lanes<u64> base = (i->mods & kAddress32) ? convert_lanes<u64>(get<u32>(w, i->a)) : get<u64>(w, i->a);
    return base + splat<u64>((u64)i->imm);
}

template <class T, class Op>
const Inst* unary(Warp& w, const Inst* i) {
    put<T>(w, i->d, Op::template apply<T>(get<T>(w, i->a)));
    return i + 1;
}

template <class T, class Op>
const Inst* binary(Warp& w, const Inst* i) {
    put<T>(w, i->d, Op::template apply<T>(get<T>(w, i->a), get<T>(w, i->b)));
    return i + 1;
}

template <class T, class Op>
const Inst* ternary(Warp& w, const Inst* i) {
    put<T>(w, i->d, Op::template apply<T>(get<T>(w, i->a), get<T>(w, i->b), get<T>(w, i->c)));
    return i + 1;
}

/// Calls f.operator()<T>() for the C++ type of an integer or untyped PTX type that has arithmetic; null for others.
template <class F>
Handler for_arithmetic(Type type, F f) {
    switch (type) {
        case Type::U16:
        case Type::B16:
            return f.template operator()<u16>();
        case Type::S16:
            return f.template operator()<i16>();
        case Type::U32:
        case Type::B32:
            return f.template operator()<u32>();
        case Type::S32:
            return f.template operator()<i32>();
        case Type::U64:
        case Type::B64:
            return f.template operator()<u64>();
        case Type::S64:
            return f.template operator()<i64>();
        default:
            return nullptr;
    }
}

/// As for_arithmetic with the 8-bit types, which PTX can only move and convert.
template <class F>
Handler for_integer(Type type, F f) {
    switch (type) {
        case Type::U8:
        case Type::B8:
            return f.template operator()<u8>();
        case Type::S8:
            return f.template operator()<i8>();
        default:
            return for_arithmetic(type, f);
    }
}

/// Where signedness makes no difference: the unsigned types alone.
template <class F>
Handler for_bits(Type type, F f) {
    switch (type == Type::Pred ? 0 : type_bytes(type)) {
        case 2:
            return f.template operator()<u16>();
        case 4:
            return f.template operator()<u32>();
        case 8:
            return f.template operator()<u64>();
        default:
            return nullptr;
    }
}

template <class F>
Handler for_float(Type type, F f) {
    switch (type) {
        case Type::F32:
            return f.template operator()<float>();
        case Type::F64:
            return f.template operator()<double>();
        default:
            return nullptr;
    }
}

/// Fills d, a, b, c from the operands, all of one type.
inline void same_type_operands(Builder& b, Type type, u32 sources) {
    b.require_operands(sources + 1, sources + 1);
    b.inst.a = b.source(1, type);
    b.inst.b = sources > 1 ? b.source(2, type) : 0;
    b.inst.c = sources > 2 ? b.source(3, type) : 0;
    b.inst.d = b.target(0, type);
}

}  // namespace ptxsim
