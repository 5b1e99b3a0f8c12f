// cp.async: 4, 8 or 16 bytes per lane from global to shared memory, finished by wait_group or wait_all.
#include "access.h"

namespace ptxsim {

namespace {

void move_bytes(Warp& w, const AsyncCopy& copy, u32 lane) {
    u8* to = w.cta->shared + copy.to[lane];
    std::memcpy(to, copy.from[lane], copy.take[lane]);
    std::memset(to + copy.take[lane], 0, copy.bytes - copy.take[lane]);
}

template <u32 Bytes>
const Inst* copy_async(Warp& w, const Inst* i) {
    Worker& worker = *w.worker;
    const Lanes<u64> to = addresses(w, i);
    const Lanes<u64> from = (i->mods & kSecondAddress32 ? convert_lanes<u64>(get<u32>(w, i->b)) : get<u64>(w, i->b)) +
                            splat<u64>((u64)(i64)i->disp);
    const bool sized = (i->mods & 1) != 0;
    AsyncCopy& copy = w.copies.emplace_back();
    copy.mask = w.mask;
    copy.bytes = Bytes;
    copy.pc = i->pc;
    u32 reading = 0;
    for_lanes(w.mask, [&](u32 l) {
        copy.to[l] = (u32)to[l];
        shared_pointer<Bytes>(w, i, l, to[l], "copies to");
        u32 take = Bytes;
        if (sized) {
            take = get<u32>(w, i->c)[l];
            if (take > Bytes) {
                fault(
                    w, i, l, FaultKind::IllegalInstruction, "illegal-instruction",
                    "cp.async with a source size of " + std::to_string(take) + ", more than " + std::to_string(Bytes));
            }
        }
        copy.take[l] = take;
        copy.group[l] = w.committed[l];
        // Hardware wants the source aligned even where nothing is read.
        if (from[l] % Bytes != 0) {
            fault(w, i, l, FaultKind::Misaligned, "misaligned-access",
                  "copies " + std::to_string(Bytes) + " bytes from a global address that is not a multiple of " +
                      std::to_string(Bytes));
        }
        copy.from[l] = take == 0 ? nullptr : worker.view.resolve(from[l], take);
        if (take != 0) {
            reading |= 1u << l;
            if (copy.from[l] == nullptr) {
                global_fault(w, i, l, from[l], take, "copies");
            }
        }
        if (worker.check) {
            worker.shadow.async_issue(w, i, l, (u32)to[l], Bytes);
        }
        if (worker.follow) {
            worker.origins.copy((u32)to[l], Bytes, from[l], take);
        }
    });
    if (reading != 0) {
        count_scattered<kLoadCounts>(worker, reading, from, Bytes);
    }
    if (worker.count) {
        worker.counters.shared_store_requests++;
        worker.counters.shared_store_conflicts += bank_conflicts<Bytes>(w.mask, to);
    }
    if (worker.eager) {
        for_lanes(w.mask, [&](u32 l) { move_bytes(w, copy, l); });
    }
    return i + 1;
}

void decode_copy(Builder& b) {
    const bool cg = b.take("cg");
    if (!cg && !b.take("ca")) {
        b.error("wants .ca or .cg");
    }
    if (!b.take("shared")) {
        b.take("shared::cta");
    }
    b.take("global");
    for (const std::string_view hint : {"L2::64B", "L2::128B", "L2::256B"}) {
        b.take(hint);
    }
    b.require_operands(3, 4);
    const u64 bytes = b.integer(2);
    b.address(0, "shared");
    i64 offset;
    bool wide;
    b.inst.b = b.address_of(b.operand(1), "global", &offset, &wide);
    if (offset != (i32)offset) {
        b.error("the displacement is too large");
    }
    if (b.operands() == 4) {
        b.inst.c = b.source(3, Type::U32);
        b.inst.mods |= 1;
    }
    b.inst.mods |= wide ? 0 : kSecondAddress32;
    b.inst.disp = (i32)offset;
    b.shared_access((u32)bytes);
    b.inst.run = bytes == 16  ? copy_async<16>
                 : cg         ? nullptr
                 : bytes == 8 ? copy_async<8>
                 : bytes == 4 ? copy_async<4>
                              : nullptr;
}

const Inst* commit(Warp& w, const Inst* i) {
    for_lanes(w.mask, [&](u32 l) { w.committed[l]++; });
    return i + 1;
}

/// Finishes the copies of every group but the newest `i->imm`; with imm < 0 also those not committed.
const Inst* wait(Warp& w, const Inst* i) {
    Worker& worker = *w.worker;
    size_t kept = 0;
    for (size_t k = 0; k < w.copies.size(); k++) {
        AsyncCopy& copy = w.copies[k];
        for_lanes(copy.mask & w.mask, [&](u32 l) {
            if (i->imm >= 0 && (i64)copy.group[l] + i->imm >= (i64)w.committed[l]) {
                return;
            }
            if (!worker.eager) {
                move_bytes(w, copy, l);
            }
            if (worker.check) {
                worker.shadow.async_complete(w, l, copy.to[l], copy.bytes);
            }
            copy.mask &= ~(1u << l);
        });
        if (copy.mask != 0) {
            if (kept != k) {
                w.copies[kept] = copy;
            }
            kept++;
        }
    }
    w.copies.resize(kept);
    return i + 1;
}

void decode_cp(Builder& b) {
    if (!b.take("async")) {
        b.error("only cp.async is supported");
    }
    if (b.take("commit_group")) {
        b.require_operands(0, 0);
        b.inst.run = commit;
    } else if (b.take("wait_group")) {
        b.require_operands(1, 1);
        b.inst.imm = (i64)b.integer(0);
        b.inst.run = wait;
    } else if (b.take("wait_all")) {
        b.inst.imm = -1;
        b.inst.run = wait;
    } else {
        decode_copy(b);
    }
}

constexpr OpDecoder kOps[] = {{"cp", decode_cp}};

}  // namespace

std::span<const OpDecoder> async_ops() {
    return kOps;
}

}  // namespace ptxsim
