// Comparisons into predicates, and what chooses by a predicate.
#include "ops.h"

namespace ptxsim {

namespace {

enum class Compare : u8 { Eq, Ne, Lt, Le, Gt, Ge, Equ, Neu, Ltu, Leu, Gtu, Geu, Num, Nan };

constexpr u32 kAnd = 1, kOr = 2, kXor = 3, kNegated = 4, kCombine = 3, kFlush = 8;

template <class T>
PTXSIM_INLINE Lanes<T> operand(Warp& w, const Inst* i, u32 offset) {
    const Lanes<T> value = get<T>(w, offset);
    if constexpr (std::is_same_v<T, float>) {
        if (i->mods & kFlush) {
            return __builtin_elementwise_abs(value) < splat(0x1p-126f) ? splat(0.0f) : value;
        }
    }
    return value;
}

template <class T, Compare C>
PTXSIM_INLINE u32 compare(Lanes<T> a, Lanes<T> b) {
    const auto unordered = [&] { return pack(a != a) | pack(b != b); };
    switch (C) {
        case Compare::Eq:
            return pack(a == b);
        case Compare::Ne:
            return std::is_floating_point_v<T> ? pack(a != b) & ~unordered() : pack(a != b);
        case Compare::Lt:
            return pack(a < b);
        case Compare::Le:
            return pack(a <= b);
        case Compare::Gt:
            return pack(a > b);
        case Compare::Ge:
            return pack(a >= b);
        case Compare::Equ:
            return pack(a == b) | unordered();
        case Compare::Neu:
            return pack(a != b);
        case Compare::Ltu:
            return ~pack(a >= b);
        case Compare::Leu:
            return ~pack(a > b);
        case Compare::Gtu:
            return ~pack(a <= b);
        case Compare::Geu:
            return ~pack(a < b);
        case Compare::Num:
            return ~unordered();
        case Compare::Nan:
            return unordered();
    }
    return 0;
}

template <class T, Compare C>
const Inst* setp(Warp& w, const Inst* i) {
    const u32 plain = compare<T, C>(operand<T>(w, i, i->a), operand<T>(w, i, i->b));
    if ((i->mods & ~kFlush) == 0 && i->list == nullptr) [[likely]] {
        put_predicate(w, i->d, plain);
        return i + 1;
    }
    u32 other = get_predicate(w, i->c);
    other = i->mods & kNegated ? ~other : other;
    const auto combine = [&](u32 bits) {
        switch (i->mods & kCombine) {
            case kAnd:
                return bits & other;
            case kOr:
                return bits | other;
            case kXor:
                return bits ^ other;
            default:
                return bits;
        }
    };
    put_predicate(w, i->d, combine(plain));
    if (i->list != nullptr) {
        put_predicate(w, i->list[0], combine(~plain));
    }
    return i + 1;
}

template <class T>
Handler choose(std::string_view name) {
    constexpr bool is_unsigned = std::is_unsigned_v<T>;
    if (name == "eq") return setp<T, Compare::Eq>;
    if (name == "ne") return setp<T, Compare::Ne>;
    if (name == "lt" || (name == "lo" && is_unsigned)) return setp<T, Compare::Lt>;
    if (name == "le" || (name == "ls" && is_unsigned)) return setp<T, Compare::Le>;
    if (name == "gt" || (name == "hi" && is_unsigned)) return setp<T, Compare::Gt>;
    if (name == "ge" || (name == "hs" && is_unsigned)) return setp<T, Compare::Ge>;
    if constexpr (std::is_floating_point_v<T>) {
        if (name == "equ") return setp<T, Compare::Equ>;
        if (name == "neu") return setp<T, Compare::Neu>;
        if (name == "ltu") return setp<T, Compare::Ltu>;
        if (name == "leu") return setp<T, Compare::Leu>;
        if (name == "gtu") return setp<T, Compare::Gtu>;
        if (name == "geu") return setp<T, Compare::Geu>;
        if (name == "num") return setp<T, Compare::Num>;
        if (name == "nan") return setp<T, Compare::Nan>;
    }
    return nullptr;
}

void decode_setp(Builder& b) {
    const std::string_view name = b.take_next();
    const u32 combine = b.take("and") ? kAnd : b.take("or") ? kOr : b.take("xor") ? kXor : 0;
    const Type type = b.take_type();
    b.inst.mods = combine | (b.take("ftz") ? kFlush : 0);
    b.require_operands(combine ? 4 : 3, combine ? 4 : 3);
    b.inst.a = b.source(1, type);
    b.inst.b = b.source(2, type);
    if (combine) {
        b.inst.c = b.source(3, Type::Pred);
        b.inst.mods |= b.operand(3).negated ? kNegated : 0;
    }
    const Operand& result = b.operand(0);
    if (result.kind == Operand::Kind::Pair) {
        b.inst.d = b.target_of(result.elements[0], Type::Pred);
        b.list()[0] = b.target_of(result.elements[1], Type::Pred);
    } else {
        b.inst.d = b.target(0, Type::Pred);
    }
    b.inst.run = type == Type::F32   ? choose<float>(name)
                 : type == Type::F64 ? choose<double>(name)
                                     : for_arithmetic(type, [&]<class T>() -> Handler { return choose<T>(name); });
}

template <class T>
const Inst* selp(Warp& w, const Inst* i) {
    u32 bits = get_predicate(w, i->c);
    put<T>(w, i->d, select<T>(bits, get<T>(w, i->a), get<T>(w, i->b)));
    return i + 1;
}

const Inst* selp_predicate(Warp& w, const Inst* i) {
    const u32 bits = get_predicate(w, i->c);
    put_predicate(w, i->d, (bits & get_predicate(w, i->a)) | (~bits & get_predicate(w, i->b)));
    return i + 1;
}

void decode_selp(Builder& b) {
    const Type type = b.take_type();
    b.require_operands(4, 4);
    b.inst.a = b.source(1, type);
    b.inst.b = b.source(2, type);
    b.inst.c = b.source(3, Type::Pred);
    b.inst.d = b.target(0, type);
    if (b.operand(3).negated) {
        b.error("a negated predicate is not supported here");
    }
    b.inst.run = type == Type::Pred  ? selp_predicate
                 : type == Type::F32 ? selp<u32>
                 : type == Type::F64 ? selp<u64>
                                     : for_bits(type, []<class T>() -> Handler { return selp<T>; });
}

/// d = c >= 0 ? a : b.
template <class T, class C>
const Inst* slct(Warp& w, const Inst* i) {
    const u32 bits = pack(get<C>(w, i->c) >= splat<C>(0));
    put<T>(w, i->d, select<T>(bits, get<T>(w, i->a), get<T>(w, i->b)));
    return i + 1;
}

void decode_slct(Builder& b) {
    const Type type = b.take_type(), test = b.take_type();
    b.require_operands(4, 4);
    b.inst.a = b.source(1, type);
    b.inst.b = b.source(2, type);
    b.inst.c = b.source(3, test);
    b.inst.d = b.target(0, type);
    const bool wide = type_bytes(type) == 8;
    if (type_bytes(type) >= 4 && test == Type::S32) {
        b.inst.run = wide ? slct<u64, i32> : slct<u32, i32>;
    } else if (type_bytes(type) >= 4 && test == Type::F32) {
        b.inst.run = wide ? slct<u64, float> : slct<u32, float>;
    }
}

constexpr OpDecoder kOps[] = {{"setp", decode_setp}, {"selp", decode_selp}, {"slct", decode_slct}};

}  // namespace

std::span<const OpDecoder> compare_ops() {
    return kOps;
}

}  // namespace ptxsim
