// ld, st and the instructions that only order or prefetch memory.
#include <atomic>
#include <thread>

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

/// How a record's registers hold its elements, in mods: bytes of an element in memory and in a register, number, sign.
struct Layout {
    u32 element, wide, count;
    bool is_signed;

    static Layout of(const Inst* i) {
        return {i->mods & 15, i->mods >> 4 & 15, i->mods >> 8 & 15, (i->mods >> 12 & 1) != 0};
    }
    u32 bits() const { return element | wide << 4 | count << 8 | (u32)is_signed << 12; }
    bool whole() const { return element == wide; }
};

template <class T, u32 N>
void spread_whole(Warp& w, const Inst* i, const LaneBytes& raw) {
    T lanes[N][kLanes];
    const T* elements = reinterpret_cast<const T*>(raw.bytes);
    for (u32 l = 0; l < kLanes; l++) {
        for (u32 k = 0; k < N; k++) {
            lanes[k][l] = elements[l * N + k];
        }
    }
    for (u32 k = 0; k < N; k++) {
        Lanes<T> value;
        std::memcpy(&value, lanes[k], sizeof value);
        put<T>(w, i->list[k], value);
    }
}

/// Elements narrower than their registers are extended.
void spread_extended(Warp& w, const Inst* i, const LaneBytes& raw, const Layout& layout) {
    for (u32 k = 0; k < layout.count; k++) {
        Lanes<u64> value;
        for (u32 l = 0; l < kLanes; l++) {
            u64 bits = 0;
            std::memcpy(&bits, raw.bytes + (l * layout.count + k) * layout.element, layout.element);
            const u32 shift = 64 - 8 * layout.element;
            bits = layout.is_signed ? (u64)((i64)(bits << shift) >> shift) : bits;
            reinterpret_cast<u64*>(&value)[l] = bits;
        }
        const u32 to = layout.count == 1 ? i->d : i->list[k];
        if (layout.wide == 2) {
            put<u16>(w, to, convert_lanes<u16>(value));
        } else if (layout.wide == 4) {
            put<u32>(w, to, convert_lanes<u32>(value));
        } else {
            put<u64>(w, to, value);
        }
    }
}

/// Memory to registers.
PTXSIM_INLINE void spread(Warp& w, const Inst* i, const LaneBytes& raw) {
    const Layout layout = Layout::of(i);
    if (!layout.whole()) {
        spread_extended(w, i, raw, layout);
        return;
    }
    switch (layout.element * 8 + layout.count) {
        case 2 * 8 + 1:
            put<u16>(w, i->d, *reinterpret_cast<const Lanes<u16>*>(raw.bytes));
            break;
        case 4 * 8 + 1:
            put<u32>(w, i->d, *reinterpret_cast<const Lanes<u32>*>(raw.bytes));
            break;
        case 8 * 8 + 1:
            put<u64>(w, i->d, *reinterpret_cast<const Lanes<u64>*>(raw.bytes));
            break;
        case 2 * 8 + 2:
            spread_whole<u16, 2>(w, i, raw);
            break;
        case 2 * 8 + 4:
            spread_whole<u16, 4>(w, i, raw);
            break;
        case 4 * 8 + 2:
            spread_whole<u32, 2>(w, i, raw);
            break;
        case 4 * 8 + 4:
            spread_whole<u32, 4>(w, i, raw);
            break;
        case 8 * 8 + 2:
            spread_whole<u64, 2>(w, i, raw);
            break;
        default:
            __builtin_unreachable();
    }
}

template <class T>
void collect_elements(Warp& w, const Inst* i, LaneBytes& raw, const Layout& layout) {
    for (u32 k = 0; k < layout.count; k++) {
        const u8* from = w.frame + (layout.count == 1 ? i->b : i->list[k]);
        T* to = reinterpret_cast<T*>(raw.bytes) + k;
        // Registers are little-endian: the low bytes are the narrower value.
        for (u32 l = 0; l < kLanes; l++) {
            std::memcpy(&to[l * layout.count], from + l * layout.wide, sizeof(T));
        }
    }
}

/// Registers to memory.
PTXSIM_INLINE void collect(Warp& w, const Inst* i, LaneBytes& raw) {
    const Layout layout = Layout::of(i);
    if (layout.count == 1 && layout.whole()) {
        std::memcpy(raw.bytes, w.frame + i->b, kLanes * layout.element);
        return;
    }
    switch (layout.element) {
        case 1:
            return collect_elements<u8>(w, i, raw, layout);
        case 2:
            return collect_elements<u16>(w, i, raw, layout);
        case 4:
            return collect_elements<u32>(w, i, raw, layout);
        default:
            return collect_elements<u64>(w, i, raw, layout);
    }
}

/// Where the elements of loaded words come from: from here, or from where shared memory has them.
template <Space S>
void follow_load(Warp& w, const Inst* i, const Lanes<u64>& a) {
    const u32 count = Layout::of(i).count;
    for (u32 k = 0; k < count; k++) {
        Lanes<u64> low = a + splat<u64>(4 * k);
        if constexpr (S == Space::Shared) {
            for_lanes(w.mask, [&](u32 l) { low[l] = w.worker->origins.word((u32)a[l] + 4 * k); });
        }
        const Lanes<u64> high = low > splat(kZeroFilled) ? low + splat<u64>(2) : low;
        put_origins(w, count == 1 ? i->d : i->list[k], low, high);
    }
}

/// Flags of a store, from this bit on: whose elements' origins matter.
constexpr u32 kFirstElement = 20;

void follow_store(Warp& w, const Inst* i, const Lanes<u64>& a) {
    const u32 count = Layout::of(i).count;
    for (u32 k = 0; k < count; k++) {
        if (i->mods >> (kFirstElement + k) & 1) {
            const Origins& from = origins(w, count == 1 ? i->b : i->list[k]);
            for_lanes(w.mask, [&](u32 l) {
                const bool pair = from.low[l] == kZeroFilled || from.high[l] == from.low[l] + 2;
                w.worker->origins.set((u32)a[l] + 4 * k, pair ? from.low[l] : kUnknown);
            });
        }
    }
}

template <Space S, u32 Bytes>
const Inst* ld(Warp& w, const Inst* i) {
    LaneBytes raw;
    const Lanes<u64> a = addresses(w, i);
    load<S, Bytes>(w, i, a, raw);
    if constexpr (Bytes >= 4 && (S == Space::Global || S == Space::Shared)) {
        if ((i->mods & kFollowed) != 0 && w.worker->follow) {
            follow_load<S>(w, i, a);
        }
    }
    spread(w, i, raw);
    return i + 1;
}

/// A volatile or acquiring load from global memory waits for other CTAs: how often it runs is no property of the
/// kernel, so that no traffic is counted. Whoever polls lets the others' thread run, and ends with them.
template <u32 Bytes>
const Inst* poll(Warp& w, const Inst* i) {
    if (w.worker->failed->load(std::memory_order_relaxed)) {
        throw Abandoned{};
    }
    std::this_thread::yield();
    LaneBytes raw;
    load_global<Bytes, false>(w, i, w.mask, addresses(w, i), raw);
    std::atomic_thread_fence(std::memory_order_acquire);
    spread(w, i, raw);
    return i + 1;
}

Handler poll_of(u32 bytes) {
    return bytes == 4 ? poll<4> : bytes == 8 ? poll<8> : nullptr;
}

template <Space S, u32 Bytes>
const Inst* st(Warp& w, const Inst* i) {
    LaneBytes raw;
    const Lanes<u64> a = addresses(w, i);
    collect(w, i, raw);
    store<S, Bytes>(w, i, a, raw);
    if constexpr (Bytes >= 4 && S == Space::Shared) {
        if ((i->mods & kFollowed) != 0 && w.worker->follow) {
            follow_store(w, i, a);
        }
    }
    return i + 1;
}

/// Kernel parameters live in the launch; every lane reads its own address, mostly the same.
const Inst* ld_param(Warp& w, const Inst* i) {
    const Layout layout = Layout::of(i);
    const u32 bytes = layout.element * layout.count;
    const Lanes<u64> a = addresses(w, i);
    const std::vector<u8>& block = w.cta->launch->parameters;
    LaneBytes raw;
    for_lanes(w.mask, [&](u32 l) {
        if (a[l] > block.size() || bytes > block.size() - a[l]) {
            fault(w, i, l, FaultKind::IllegalAddress, "out-of-bounds",
                  "reads parameter bytes at offset " + std::to_string(a[l]) + "; the kernel has " +
                      std::to_string(block.size()));
        }
        std::memcpy(raw.bytes + l * bytes, block.data() + a[l], bytes);
    });
    spread(w, i, raw);
    return i + 1;
}

template <bool Store, Space S>
Handler by_bytes(u32 bytes) {
    switch (bytes) {
        case 1:
            return Store ? st<S, 1> : ld<S, 1>;
        case 2:
            return Store ? st<S, 2> : ld<S, 2>;
        case 4:
            return Store ? st<S, 4> : ld<S, 4>;
        case 8:
            return Store ? st<S, 8> : ld<S, 8>;
        case 16:
            return Store ? st<S, 16> : ld<S, 16>;
        default:
            return nullptr;
    }
}

template <bool Store>
Handler by_space(std::string_view space, u32 bytes) {
    if (space == "global") {
        return by_bytes<Store, Space::Global>(bytes);
    }
    if (space == "shared") {
        return by_bytes<Store, Space::Shared>(bytes);
    }
    if (space == "generic") {
        return by_bytes<Store, Space::Generic>(bytes);
    }
    if (space == "const" && !Store) {
        return by_bytes<false, Space::Const>(bytes);
    }
    return space == "param" && !Store ? ld_param : nullptr;
}

Type integer_of(Type type) {
    return type == Type::F32 || type == Type::F16x2 || type == Type::BF16x2 || type == Type::TF32 ? Type::B32
           : type == Type::F64                                                                    ? Type::B64
           : is_float(type)                                                                       ? Type::B16
                                                                                                  : type;
}

/// Ordering, scope and cache hints mean nothing to a simulator that is sequentially consistent and has no caches.
void take_hints(Builder& b) {
    for (const std::string_view hint : {"relaxed",
                                        "release",
                                        "weak",
                                        "cta",
                                        "gpu",
                                        "sys",
                                        "nc",
                                        "ca",
                                        "cg",
                                        "cs",
                                        "lu",
                                        "cv",
                                        "wb",
                                        "wt",
                                        "L1::no_allocate",
                                        "L1::evict_last",
                                        "L1::evict_first",
                                        "L1::evict_normal",
                                        "L1::evict_unchanged",
                                        "L2::64B",
                                        "L2::128B",
                                        "L2::256B"}) {
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
    const bool is_volatile = b.take("volatile") || b.take("acquire");
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
    const Layout layout{type_bytes(type), bytes, count, is_signed(type)};
    if (bytes < layout.element || layout.element * count > 16) {
        b.error("the registers do not fit the type");
    }
    b.inst.mods |= layout.bits();
    if (layout.element == 4 && bytes == 4 && b.any_followed(data) &&
        (space == "shared" || (space == "global" && !Store))) {
        b.inst.mods |= kFollowed;
        b.keeps_origins = !Store;
        for (u32 k = 0; Store && k < count; k++) {
            b.inst.mods |= (u32)b.followed(count == 1 ? data : data.elements[k]) << (kFirstElement + k);
        }
    }
    const Handler polls = is_volatile && !Store && space == "global" ? poll_of(layout.element * count) : nullptr;
    b.inst.run = polls != nullptr ? polls : by_space<Store>(space, layout.element * count);
}

const Inst* nothing(Warp&, const Inst* i) {
    return i + 1;
}

/// membar, fence, prefetch, discard and the like.
void decode_nothing(Builder& b) {
    for (const std::string_view known : {"cta", "gl", "gpu", "sys", "sc", "acq_rel", "global", "L1", "L2",
                                         "L2::evict_last", "L2::evict_normal", "u32", "proxy", "async", "128"}) {
        b.take(known);
    }
    b.inst.run = nothing;
}

constexpr OpDecoder kOps[] = {
    {"ld", decode_access<false>},  {"ldu", decode_access<false>}, {"st", decode_access<true>},
    {"membar", decode_nothing},    {"fence", decode_nothing},     {"prefetch", decode_nothing},
    {"nanosleep", decode_nothing}, {"discard", decode_nothing},
};

}  // namespace

std::span<const OpDecoder> memory_ops() {
    return kOps;
}

}  // namespace ptxsim
