// atom and red: lane by lane, lowest first; real atomics on global memory because CTAs may run on several threads.
#include "access.h"

namespace ptxsim {

namespace {

enum class Operation { Add, Min, Max, And, Or, Xor, Exchange, Increment, Decrement, CompareSwap };

template <class T, Operation O>
T combine(T old, T operand, T swap) {
    if constexpr (O == Operation::Add) {
        return (T)(old + operand);
    } else if constexpr (O == Operation::Min) {
        return operand < old ? operand : old;
    } else if constexpr (O == Operation::Max) {
        return operand > old ? operand : old;
    } else if constexpr (O == Operation::Exchange) {
        return operand;
    } else if constexpr (O == Operation::CompareSwap) {
        return old == operand ? swap : old;
    } else if constexpr (std::is_integral_v<T>) {
        switch (O) {
            case Operation::And:
                return old & operand;
            case Operation::Or:
                return old | operand;
            case Operation::Xor:
                return old ^ operand;
            case Operation::Increment:
                return old >= operand ? 0 : (T)(old + 1);
            case Operation::Decrement:
                return old == 0 || old > operand ? operand : (T)(old - 1);
            default:
                return old;
        }
    }
    return old;
}

template <class T, Operation O>
T apply(u8* memory, T operand, T swap) {
    using U = UnsignedOf<T>;
    U* word = reinterpret_cast<U*>(memory);
    U old = __atomic_load_n(word, __ATOMIC_RELAXED);
    for (;;) {
        const U fresh = std::bit_cast<U>(combine<T, O>(std::bit_cast<T>(old), operand, swap));
        if (__atomic_compare_exchange_n(word, &old, fresh, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
            return std::bit_cast<T>(old);
        }
    }
}

constexpr u32 kShared = 1, kGeneric = 2, kResult = 4;

template <class T, Operation O>
const Inst* atomic(Warp& w, const Inst* i) {
    Worker& worker = *w.worker;
    const Lanes<u64> a = addresses(w, i);
    const Lanes<T> operand = get<T>(w, i->b), swap = O == Operation::CompareSwap ? get<T>(w, i->c) : operand;
    const u32 shared = i->mods & kShared ? w.mask : i->mods & kGeneric ? shared_lanes(a) & w.mask : 0;
    const u64 window = i->mods & kGeneric ? kSharedWindow : 0;
    Lanes<T> result = operand;
    for_lanes(w.mask, [&](u32 l) {
        u8* memory;
        if (shared >> l & 1) {
            memory = shared_pointer<sizeof(T)>(w, i, l, a[l] - window, "updates");
            if (worker.check) {
                worker.shadow.atomic(w, i, l, (u32)(a[l] - window), sizeof(T));
            }
            if (worker.follow) {
                worker.origins.forget((u32)(a[l] - window), sizeof(T));
            }
        } else {
            memory = global_pointer<sizeof(T)>(w, i, l, a[l], "updates");
        }
        result[l] = apply<T, O>(memory, operand[l], swap[l]);
    });
    worker.counters.atomics += (u32)std::popcount(w.mask);
    if (shared != w.mask) {
        count_scattered<kStoreCounts>(worker, w.mask & ~shared, a, sizeof(T));
    }
    if (i->mods & kResult) {
        put<T>(w, i->d, result);
    }
    return i + 1;
}

template <Operation O>
Handler by_type(Type type) {
    switch (type) {
        case Type::S32:
            return atomic<i32, O>;
        case Type::U32:
        case Type::B32:
            return atomic<u32, O>;
        case Type::S64:
            return atomic<i64, O>;
        case Type::U64:
        case Type::B64:
            return atomic<u64, O>;
        case Type::F32:
            return O == Operation::Add || O == Operation::Exchange ? atomic<float, O> : nullptr;
        case Type::F64:
            return O == Operation::Add || O == Operation::Exchange ? atomic<double, O> : nullptr;
        default:
            return nullptr;
    }
}

template <bool Result>
void decode_atomic(Builder& b) {
    for (const std::string_view hint : {"relaxed", "acquire", "release", "acq_rel", "cta", "gpu", "sys"}) {
        b.take(hint);
    }
    const bool shared = b.take("shared") || b.take("shared::cta");
    const bool global = !shared && b.take("global");
    const std::string_view operation = b.take_next();
    b.take("noftz");
    const Type type = b.take_type();
    const bool swaps = operation == "cas";
    const size_t first = Result ? 1 : 0;
    b.require_operands(first + 2 + swaps, first + 2 + swaps);
    b.address(first, shared ? "shared" : "global");
    b.inst.b = b.source(first + 1, type);
    b.inst.c = swaps ? b.source(first + 2, type) : 0;
    b.inst.mods |= shared ? kShared : global ? 0 : kGeneric;
    if (Result && !(b.operand(0).kind == Operand::Kind::Symbol && b.operand(0).text == "_")) {
        b.inst.d = b.target(0, type);
        b.inst.mods |= kResult;
    }
    if (!global) {
        b.shared_access(type_bytes(type));
    }
    b.inst.run = operation == "add"    ? by_type<Operation::Add>(type)
                 : operation == "min"  ? by_type<Operation::Min>(type)
                 : operation == "max"  ? by_type<Operation::Max>(type)
                 : operation == "and"  ? by_type<Operation::And>(type)
                 : operation == "or"   ? by_type<Operation::Or>(type)
                 : operation == "xor"  ? by_type<Operation::Xor>(type)
                 : operation == "exch" ? by_type<Operation::Exchange>(type)
                 : operation == "inc"  ? by_type<Operation::Increment>(type)
                 : operation == "dec"  ? by_type<Operation::Decrement>(type)
                 : swaps               ? by_type<Operation::CompareSwap>(type)
                                       : nullptr;
}

constexpr OpDecoder kOps[] = {{"atom", decode_atomic<true>}, {"red", decode_atomic<false>}};

}  // namespace

std::span<const OpDecoder> atomic_ops() {
    return kOps;
}

}  // namespace ptxsim
