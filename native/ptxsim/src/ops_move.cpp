// mov and its packing forms, cvta, and reads of kernel parameters.
#include "ops.h"

namespace ptxsim {

namespace {

template <class T>
const Inst* copy(Warp& w, const Inst* i) {
    put<T>(w, i->d, get<T>(w, i->a));
    return i + 1;
}

/// Of a register whose origin matters.
const Inst* copy_followed(Warp& w, const Inst* i) {
    put<u32>(w, i->d, get<u32>(w, i->a));
    if (w.worker->follow) {
        const Origins from = origins(w, i->a);
        put_origins(w, i->d, from.low, from.high);
    }
    return i + 1;
}

const Inst* copy_predicate(Warp& w, const Inst* i) {
    put_predicate(w, i->d, get_predicate(w, i->a));
    return i + 1;
}

/// {a, b, ...} into one wider register, the first element lowest.
template <class Wide, class Part>
const Inst* join(Warp& w, const Inst* i) {
    constexpr u32 kParts = sizeof(Wide) / sizeof(Part);
    Lanes<Wide> r = splat<Wide>(0);
    for (u32 k = 0; k < kParts; k++) {
        r |= convert_lanes<Wide>(get<Part>(w, i->list[k])) << splat<Wide>((Wide)(8 * sizeof(Part) * k));
    }
    put<Wide>(w, i->d, r);
    return i + 1;
}

template <class Wide, class Part>
const Inst* split(Warp& w, const Inst* i) {
    constexpr u32 kParts = sizeof(Wide) / sizeof(Part);
    const Lanes<Wide> value = get<Wide>(w, i->a);
    for (u32 k = 0; k < kParts; k++) {
        if (i->mods >> k & 1) {
            put<Part>(w, i->list[k], convert_lanes<Part>(value >> splat<Wide>((Wide)(8 * sizeof(Part) * k))));
        }
    }
    return i + 1;
}

Type untyped(u32 bytes) {
    return bytes == 1 ? Type::B8 : bytes == 2 ? Type::B16 : bytes == 4 ? Type::B32 : Type::B64;
}

void decode_mov(Builder& b) {
    const Type type = b.take_type();
    b.require_operands(2, 2);
    const Operand &to = b.operand(0), &from = b.operand(1);
    const u32 bytes = type_bytes(type);
    if (from.kind == Operand::Kind::Vector || to.kind == Operand::Kind::Vector) {
        const bool joins = from.kind == Operand::Kind::Vector;
        const std::vector<Operand>& parts = joins ? from.elements : to.elements;
        if (parts.size() != 2 && parts.size() != 4) {
            b.error("packs or unpacks two or four elements");
        }
        const u32 part = bytes / (u32)parts.size();
        u32* list = b.list();
        if (!joins) {
            b.inst.a = b.source(1, type);
        }
        for (size_t k = 0; k < parts.size(); k++) {
            if (joins) {
                list[k] = b.source_of(parts[k], untyped(part));
            } else if (parts[k].text != "_") {
                list[k] = b.target_of(parts[k], untyped(part));
                b.inst.mods |= 1u << k;
            }
        }
        if (joins) {
            b.inst.d = b.target(0, type);
        }
        if (bytes == 8 && part == 4) {
            b.inst.run = joins ? join<u64, u32> : split<u64, u32>;
        } else if (bytes == 8 && part == 2) {
            b.inst.run = joins ? join<u64, u16> : split<u64, u16>;
        } else if (bytes == 4 && part == 2) {
            b.inst.run = joins ? join<u32, u16> : split<u32, u16>;
        }
        return;
    }
    b.inst.a = b.source(1, type);
    b.inst.d = b.target(0, type);
    b.keeps_origins = bytes == 4 && b.followed(to) && b.followed(from);
    b.inst.run = type == Type::Pred ? copy_predicate
                 : b.keeps_origins  ? copy_followed
                 : bytes == 2       ? copy<u16>
                 : bytes == 4       ? copy<u32>
                 : bytes == 8       ? copy<u64>
                                    : nullptr;
}

/// Global, constant and parameter addresses are generic addresses already; shared ones lie in a window of their own.
template <bool ToGeneric, class T>
const Inst* convert_shared(Warp& w, const Inst* i) {
    if constexpr (sizeof(T) == 4) {
        static_assert(!ToGeneric);
        put<u32>(w, i->d, convert_lanes<u32>(get<u64>(w, i->a) - splat<u64>(kSharedWindow)));
    } else {
        put<u64>(
            w, i->d,
            ToGeneric ? get<u64>(w, i->a) + splat<u64>(kSharedWindow) : get<u64>(w, i->a) - splat<u64>(kSharedWindow));
    }
    return i + 1;
}

void decode_cvta(Builder& b) {
    const bool to = b.take("to");
    const bool shared = b.take("shared");
    if (!shared && !b.take("global") && !b.take("const") && !b.take("param")) {
        b.error("the state space is not supported");
    }
    const Type type = b.take_type();
    same_type_operands(b, type, 1);
    if (type_bytes(type) == 8) {
        b.inst.run = !shared ? copy<u64> : to ? convert_shared<false, u64> : convert_shared<true, u64>;
    }
}

constexpr OpDecoder kOps[] = {{"mov", decode_mov}, {"cvta", decode_cvta}};

}  // namespace

std::span<const OpDecoder> move_ops() {
    return kOps;
}

}  // namespace ptxsim
