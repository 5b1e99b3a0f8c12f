// ld, st and the instructions that only order or prefetch memory.
#include "access.h"

namespace ptxsim {

namespace {

enum class Space { Global, Const, Shared, Generic };

template <Space S, u32 Bytes>
void load(Warp& w, const Inst* i, const Lanes<u64>& a, LaneBytes& out) {
    if constexpr (S == Space::Shared) {
        load_shared<Bytes>(w, i, w.mask, a, out);
    } else if constexpr (S == Space::Generic) {
        const u32 shared = shared_lanes(a) & w.mask;
        if (shared != 0) {
            load_shared<Bytes>(w, i, shared, a - splat<u64>(kSharedWindow), out);
        }
        if (shared != w.mask) {
            load_global<Bytes, true>(w, i, w.mask & ~shared, a, out);
        }
    } else {
        load_global<Bytes, S == Space::Global>(w, i, w.mask, a, out);
    }
}

template <Space S, u32 Bytes>
void store(Warp& w, const Inst* i, const Lanes<u64>& a, const LaneBytes& in) {
    if constexpr (S == Space::Shared) {
        store_shared<Bytes>(w, i, w.mask, a, in);
    } else if constexpr (S == Space::Generic) {
        const u32 shared = shared_lanes(a) & w.mask;
        if (shared != 0) {
            store_shared<Bytes>(w, i, shared, a - splat<u64>(kSharedWindow), in);
        }
        if (shared != w.mask) {
            store_global<Bytes>(w, i, w.mask & ~shared, a, in);
        }
    } else {
        store_global<Bytes>(w, i, w.mask, a, in);
    }
}

/// Memory holds N elements of type M, each goes to a register of type R (wider if M is to be extended).
template <Space S, class M, class R, u32 N>
const Inst* ld(Warp& w, const Inst* i) {
    LaneBytes raw;
    load<S, sizeof(M) * N>(w, i, addresses(w, i), raw);
    if constexpr (N == 1) {
        Lanes<M> value;
        std::memcpy(&value, raw.bytes, sizeof(M) * kLanes);
        put<R>(w, i->d, convert_lanes<R>(value));
    } else {
        const M* elements = reinterpret_cast<const M*>(raw.bytes);
        for (u32 k = 0; k < N; k++) {
            Lanes<M> value;
            for (u32 l = 0; l < kLanes; l++) {
                value[l] = elements[l * N + k];
            }
            put<R>(w, i->list[k], convert_lanes<R>(value));
        }
    }
    return i + 1;
}

template <Space S, class M, class R, u32 N>
const Inst* st(Warp& w, const Inst* i) {
    LaneBytes raw;
    if constexpr (N == 1) {
        const Lanes<M> value = convert_lanes<M>(get<R>(w, i->b));
        std::memcpy(raw.bytes, &value, sizeof(M) * kLanes);
    } else {
        M* elements = reinterpret_cast<M*>(raw.bytes);
        for (u32 k = 0; k < N; k++) {
            const Lanes<M> value = convert_lanes<M>(get<R>(w, i->list[k]));
            for (u32 l = 0; l < kLanes; l++) {
                elements[l * N + k] = value[l];
            }
        }
    }
    store<S, sizeof(M) * N>(w, i, addresses(w, i), raw);
    return i + 1;
}

/// Kernel parameters live in the launch; every lane reads the same bytes.
template <class M, class R, u32 N>
const Inst* ld_param(Warp& w, const Inst* i) {
    const Lanes<u64> a = addresses(w, i);
    const std::vector<u8>& block = w.cta->launch->parameters;
    for (u32 k = 0; k < N; k++) {
        Lanes<M> value;
        for (u32 l = 0; l < kLanes; l++) {
            const u64 offset = a[l] + k * sizeof(M);
            M element = 0;
            if (offset <= block.size() && sizeof(M) <= block.size() - offset) {
                std::memcpy(&element, block.data() + offset, sizeof(M));
            } else if (w.mask >> l & 1) {
                fault(w, i, l, FaultKind::IllegalAddress, "out-of-bounds",
                      "reads parameter bytes at offset " + std::to_string(offset) + "; the kernel has " + std::to_string(block.size()));
            }
            value[l] = element;
        }
        put<R>(w, N == 1 ? i->d : i->list[k], convert_lanes<R>(value));
    }
    return i + 1;
}

template <bool Store, Space S, class M, class R>
Handler by_count(u32 count) {
    if constexpr (Store) {
        return count == 1 ? st<S, M, R, 1> : count == 2 ? st<S, M, R, 2> : sizeof(M) <= 4 ? st<S, M, R, sizeof(M) <= 4 ? 4 : 2> : nullptr;
    } else {
        return count == 1 ? ld<S, M, R, 1> : count == 2 ? ld<S, M, R, 2> : sizeof(M) <= 4 ? ld<S, M, R, sizeof(M) <= 4 ? 4 : 2> : nullptr;
    }
}

template <class M, class R>
Handler param_by_count(u32 count) {
    return count == 1 ? ld_param<M, R, 1> : count == 2 ? ld_param<M, R, 2> : ld_param<M, R, 4>;
}

template <bool Store, class M, class R>
Handler by_space(std::string_view space, u32 count) {
    if (space == "global") return by_count<Store, Space::Global, M, R>(count);
    if (space == "shared") return by_count<Store, Space::Shared, M, R>(count);
    if (space == "generic") return by_count<Store, Space::Generic, M, R>(count);
    if constexpr (!Store) {
        if (space == "const") return by_count<Store, Space::Const, M, R>(count);
        if (space == "param") return param_by_count<M, R>(count);
    }
    return nullptr;
}

/// A register at least as wide as the memory type; only signed types narrower than it are sign-extended.
template <bool Store>
Handler by_types(Type type, u32 register_bytes, std::string_view space, u32 count) {
    return for_integer(type, [&]<class M>() -> Handler {
        using U = UnsignedOf<M>;
        if (register_bytes == sizeof(M)) {
            return by_space<Store, U, U>(space, count);
        }
        if constexpr (sizeof(M) < 8) {
            using E = std::conditional_t<Store, U, M>;
            if constexpr (sizeof(M) < 2) {
                if (register_bytes == 2) {
                    return by_space<Store, E, std::conditional_t<Store, u16, std::conditional_t<std::is_signed_v<M>, i16, u16>>>(space, count);
                }
            }
            if constexpr (sizeof(M) < 4) {
                if (register_bytes == 4) {
                    return by_space<Store, E, std::conditional_t<Store, u32, std::conditional_t<std::is_signed_v<M>, i32, u32>>>(space, count);
                }
            }
            if (register_bytes == 8) {
                return by_space<Store, E, std::conditional_t<Store, u64, std::conditional_t<std::is_signed_v<M>, i64, u64>>>(space, count);
            }
        }
        return nullptr;
    });
}

Type integer_of(Type type) {
    return type == Type::F32 || type == Type::F16x2 || type == Type::BF16x2 || type == Type::TF32 ? Type::B32
           : type == Type::F64                                                                  ? Type::B64
           : is_float(type)                                                                     ? Type::B16
                                                                                                : type;
}

/// Ordering, scope and cache hints mean nothing to a simulator that is sequentially consistent and has no caches.
void take_hints(Builder& b) {
    for (const std::string_view hint : {"volatile", "relaxed", "acquire", "release", "weak", "cta", "gpu", "sys", "nc", "ca", "cg", "cs", "lu",
                                        "cv", "wb", "wt", "L1::no_allocate", "L1::evict_last", "L1::evict_first", "L1::evict_normal",
                                        "L1::evict_unchanged", "L2::64B", "L2::128B", "L2::256B"}) {
        b.take(hint);
    }
}

std::string_view take_space(Builder& b) {
    for (const std::string_view space : {"global", "shared", "const", "param"}) {
        if (b.take(space)) {
            return space;
        }
    }
    if (b.take("shared::cta")) {
        return "shared";
    }
    return "generic";
}

template <bool Store>
void decode_access(Builder& b) {
    take_hints(b);
    const std::string_view space = take_space(b);
    const u32 count = b.take("v2") ? 2 : b.take("v4") ? 4 : 1;
    const Type type = integer_of(b.take_type());
    b.require_operands(2, 2);
    const Operand& data = b.operand(Store ? 1 : 0);
    b.address(Store ? 0 : 1, space);
    u32 bytes = 0;
    const auto place = [&](const Operand& operand) {
        return Store ? b.source_any(operand, type, &bytes) : b.target_any(operand, &bytes);
    };
    if (count == 1) {
        (Store ? b.inst.b : b.inst.d) = place(data);
    } else {
        if (data.kind != Operand::Kind::Vector || data.elements.size() != count) {
            b.error("wants " + std::to_string(count) + " registers in braces");
        }
        u32* list = b.list();
        for (u32 k = 0; k < count; k++) {
            list[k] = place(data.elements[k]);
        }
    }
    if (space == "shared" || space == "generic") {
        b.shared_access(type_bytes(type) * count);
    }
    b.inst.run = by_types<Store>(type, bytes, space, count);
}

const Inst* nothing(Warp&, const Inst* i) { return i + 1; }

/// membar, fence, prefetch, discard and the like.
void decode_nothing(Builder& b) {
    for (const std::string_view known : {"cta", "gl", "gpu", "sys", "sc", "acq_rel", "global", "L1", "L2", "L2::evict_last", "L2::evict_normal",
                                         "u32", "proxy", "async", "128"}) {
        b.take(known);
    }
    b.inst.run = nothing;
}

constexpr OpDecoder kOps[] = {
    {"ld", decode_access<false>}, {"ldu", decode_access<false>}, {"st", decode_access<true>},  {"membar", decode_nothing},
    {"fence", decode_nothing},    {"prefetch", decode_nothing},  {"nanosleep", decode_nothing}, {"discard", decode_nothing},
};

}  // namespace

std::span<const OpDecoder> memory_ops() { return kOps; }

}  // namespace ptxsim
