// Exchanges between the lanes of a warp: shfl, vote, redux, match, activemask.
#include "converge.h"
#include "ops.h"

namespace ptxsim {

namespace {

/// .sync instructions: every live lane of the mask must come, and nobody else. Null when they are here.
const Inst* meet(Warp& w, const Inst* i, u32 offset) {
    const Lanes<u32> masks = get<u32>(w, offset);
    const u32 members = masks[std::countr_zero(w.mask)];
    if ((pack(masks != splat(members)) & w.mask) != 0) [[unlikely]] {
        fault(w, i, (u32)std::countr_zero(w.mask), FaultKind::IllegalInstruction, "divergent-warp",
              "its lanes disagree about the mask");
    }
    return control::gather(w, i, members, FaultKind::IllegalInstruction, "divergent-warp");
}

enum class Shuffle { Up, Down, Butterfly, Index };

/// list: 0 member mask, 1 predicate; mods bit 0: there is a predicate.
template <Shuffle S>
const Inst* shfl(Warp& w, const Inst* i) {
    if (const Inst* other = meet(w, i, i->list[0])) {
        return other;
    }
    const Lanes<u32> value = get<u32>(w, i->a), b = get<u32>(w, i->b), c = get<u32>(w, i->c);
    Lanes<u32> result = value;
    u32 inside = 0;
    for_lanes(w.mask, [&](u32 l) {
        const u32 segment = c[l] >> 8 & 31, clamp = c[l] & 31, amount = b[l] & 31;
        const u32 most = (l & segment) | (clamp & ~segment), least = l & segment;
        i32 from;
        bool valid;
        if constexpr (S == Shuffle::Up) {
            from = (i32)l - (i32)amount;
            valid = from >= (i32)most;
        } else if constexpr (S == Shuffle::Down) {
            from = (i32)(l + amount);
            valid = from <= (i32)most;
        } else if constexpr (S == Shuffle::Butterfly) {
            from = (i32)(l ^ amount);
            valid = from <= (i32)most;
        } else {
            from = (i32)(least | (amount & ~segment));
            valid = from <= (i32)most;
        }
        from = valid ? from : (i32)l;
        inside |= (u32)valid << l;
        if ((w.mask >> from & 1) == 0) [[unlikely]] {
            fault(w, i, l, FaultKind::IllegalInstruction, "divergent-warp",
                  "reads from lane " + std::to_string(from) + ", which is not active");
        }
        result[l] = value[from];
    });
    put<u32>(w, i->d, result);
    if (i->mods & 1) {
        put_predicate(w, i->list[1], inside);
    }
    return i + 1;
}

void decode_shfl(Builder& b) {
    if (!b.take("sync")) {
        b.error("only shfl.sync is supported");
    }
    const std::string_view mode = b.take_next();
    const Type type = b.take_type();
    b.require_operands(5, 5);
    if (type_bytes(type) != 4) {
        b.error("wants .b32");
    }
    b.inst.a = b.source(1, type);
    b.inst.b = b.source(2, Type::U32);
    b.inst.c = b.source(3, Type::U32);
    u32* list = b.list();
    list[0] = b.source(4, Type::U32);
    const Operand& to = b.operand(0);
    if (to.kind == Operand::Kind::Pair) {
        b.inst.d = b.target_of(to.elements[0], type);
        list[1] = b.target_of(to.elements[1], Type::Pred);
        b.inst.mods |= 1;
    } else {
        b.inst.d = b.target(0, type);
    }
    b.inst.run = mode == "up"     ? shfl<Shuffle::Up>
                 : mode == "down" ? shfl<Shuffle::Down>
                 : mode == "bfly" ? shfl<Shuffle::Butterfly>
                 : mode == "idx"  ? shfl<Shuffle::Index>
                                  : nullptr;
}

enum class Vote { All, Any, Uniform, Ballot };

template <Vote V>
const Inst* vote(Warp& w, const Inst* i) {
    if (const Inst* other = meet(w, i, i->b)) {
        return other;
    }
    u32 bits = get_predicate(w, i->a);
    bits = (i->mods & 1 ? ~bits : bits) & w.mask;
    if constexpr (V == Vote::Ballot) {
        put<u32>(w, i->d, splat(bits));
    } else {
        const bool yes = V == Vote::All ? bits == w.mask : V == Vote::Any ? bits != 0 : bits == 0 || bits == w.mask;
        put_predicate(w, i->d, yes ? kAllLanes : 0);
    }
    return i + 1;
}

void decode_vote(Builder& b) {
    if (!b.take("sync")) {
        b.error("only vote.sync is supported");
    }
    const bool ballot = b.take("ballot"), all = b.take("all"), any = b.take("any"), uniform = b.take("uni");
    b.take_type();
    b.require_operands(3, 3);
    b.inst.a = b.source(1, Type::Pred);
    b.inst.mods = b.operand(1).negated ? 1 : 0;
    b.inst.b = b.source(2, Type::U32);
    b.inst.d = b.target(0, ballot ? Type::B32 : Type::Pred);
    b.inst.run = ballot    ? vote<Vote::Ballot>
                 : all     ? vote<Vote::All>
                 : any     ? vote<Vote::Any>
                 : uniform ? vote<Vote::Uniform>
                           : nullptr;
}

template <class T, class Op>
const Inst* redux(Warp& w, const Inst* i) {
    if (const Inst* other = meet(w, i, i->b)) {
        return other;
    }
    const Lanes<T> value = get<T>(w, i->a);
    T sum = value[std::countr_zero(w.mask)];
    for_lanes(w.mask & (w.mask - 1), [&](u32 l) { sum = Op::apply(sum, (T)value[l]); });
    put<T>(w, i->d, splat(sum));
    return i + 1;
}

struct AddOp {
    template <class T>
    static T apply(T a, T b) {
        return a + b;
    }
};
struct MinOp {
    template <class T>
    static T apply(T a, T b) {
        return a < b ? a : b;
    }
};
struct MaxOp {
    template <class T>
    static T apply(T a, T b) {
        return a > b ? a : b;
    }
};
struct AndOp {
    template <class T>
    static T apply(T a, T b) {
        return a & b;
    }
};
struct OrOp {
    template <class T>
    static T apply(T a, T b) {
        return a | b;
    }
};
struct XorOp {
    template <class T>
    static T apply(T a, T b) {
        return a ^ b;
    }
};

template <class Op>
Handler redux_of(bool is_signed) {
    return is_signed ? redux<i32, Op> : redux<u32, Op>;
}

void decode_redux(Builder& b) {
    b.take("sync");
    const std::string_view name = b.take_next();
    const Type type = b.take_type();
    b.require_operands(3, 3);
    b.inst.a = b.source(1, type);
    b.inst.b = b.source(2, Type::U32);
    b.inst.d = b.target(0, type);
    const bool s = is_signed(type);
    if (type_bytes(type) == 4 && !is_float(type)) {
        b.inst.run = name == "add"   ? redux_of<AddOp>(s)
                     : name == "min" ? redux_of<MinOp>(s)
                     : name == "max" ? redux_of<MaxOp>(s)
                     : name == "and" ? redux_of<AndOp>(s)
                     : name == "or"  ? redux_of<OrOp>(s)
                     : name == "xor" ? redux_of<XorOp>(s)
                                     : nullptr;
    }
}

/// match.any: the lanes that hold the same value. match.all: all of them, or none.
template <class T, bool All>
const Inst* match(Warp& w, const Inst* i) {
    if (const Inst* other = meet(w, i, i->b)) {
        return other;
    }
    const Lanes<T> value = get<T>(w, i->a);
    if constexpr (All) {
        const u32 same = pack(value == splat<T>(value[std::countr_zero(w.mask)])) & w.mask;
        const bool all = same == w.mask;
        put<u32>(w, i->d, splat(all ? w.mask : 0));
        if (i->mods & 1) {
            put_predicate(w, i->list[0], all ? kAllLanes : 0);
        }
    } else {
        Lanes<u32> r = splat(0u);
        for_lanes(w.mask, [&](u32 l) { r[l] = pack(value == splat<T>(value[l])) & w.mask; });
        put<u32>(w, i->d, r);
    }
    return i + 1;
}

void decode_match(Builder& b) {
    const bool all = b.take("all");
    b.take("any");
    b.take("sync");
    const Type type = b.take_type();
    b.require_operands(3, 3);
    b.inst.a = b.source(1, type);
    b.inst.b = b.source(2, Type::U32);
    const Operand& to = b.operand(0);
    if (to.kind == Operand::Kind::Pair) {
        b.inst.d = b.target_of(to.elements[0], Type::B32);
        b.list()[0] = b.target_of(to.elements[1], Type::Pred);
        b.inst.mods = 1;
    } else {
        b.inst.d = b.target(0, Type::B32);
    }
    b.inst.run = type_bytes(type) == 4   ? (all ? match<u32, true> : match<u32, false>)
                 : type_bytes(type) == 8 ? (all ? match<u64, true> : match<u64, false>)
                                         : nullptr;
}

const Inst* activemask(Warp& w, const Inst* i) {
    put<u32>(w, i->d, splat(w.mask));
    return i + 1;
}

void decode_activemask(Builder& b) {
    b.take_type();
    b.inst.d = b.target(0, Type::B32);
    b.inst.run = activemask;
}

const Inst* warp_barrier(Warp& w, const Inst* i) {
    if (const Inst* other = meet(w, i, i->a)) {
        return other;
    }
    SharedShadow::synchronise_warp(w);
    return i + 1;
}

}  // namespace

void decode_warp_barrier(Builder& b) {
    b.require_operands(1, 1);
    b.inst.a = b.source(0, Type::U32);
    b.inst.run = warp_barrier;
}

namespace {

constexpr OpDecoder kOps[] = {
    {"shfl", decode_shfl},
    {"vote", decode_vote},
    {"redux", decode_redux},
    {"match", decode_match},
    {"activemask", decode_activemask},
};

}  // namespace

std::span<const OpDecoder> warp_ops() {
    return kOps;
}

}  // namespace ptxsim
