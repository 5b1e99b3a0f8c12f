// Branches, exits and guards. While lanes stand at different records, those with the lowest one run: the compiler's
// block order makes them meet again.
#include "converge.h"
#include "ops.h"

namespace ptxsim::control {

namespace {

/// Chooses the lanes with the lowest record among all live ones.
const Inst* resume_lowest(Warp& w) {
    u32 lowest = ~0u, next = ~0u, mask = 0;
    for_lanes(w.live, [&](u32 l) {
        const u32 pc = w.lane_pc[l];
        if (pc < lowest) {
            next = lowest;
            lowest = pc;
            mask = 1u << l;
        } else if (pc == lowest) {
            mask |= 1u << l;
        } else if (pc < next) {
            next = pc;
        }
    });
    w.mask = mask;
    w.stop = next;
    w.diverged = next != ~0u;
    w.uniform = mask == w.live;
    return w.code + (lowest & ~kParked);
}

void place(Warp& w, u32 mask, u32 pc) {
    for_lanes(mask, [&](u32 l) { w.lane_pc[l] = pc; });
}

PTXSIM_INLINE const Inst* go_to(Warp& w, u32 pc) {
    if (!w.diverged || pc < w.stop) [[likely]] {
        return w.code + pc;
    }
    place(w, w.mask, pc);
    return resume_lowest(w);
}

/// Lanes must not leave while others of their warp wait for them at a barrier of the CTA.
void check_barrier(Warp& w, u32 mask) {
    for_lanes(w.live & ~mask, [&](u32 l) {
        const u32 pc = w.lane_pc[l];
        if (pc < kParked || (w.mask >> l & 1) != 0) {
            return;
        }
        const std::string& opcode = w.cta->launch->kernel->opcode[pc & ~kParked];
        if (opcode.starts_with("bar") && !opcode.starts_with("bar.warp")) {
            u32 waiting = 0;
            for_lanes(w.live & ~mask, [&](u32 other) { waiting |= (u32)(w.lane_pc[other] == pc) << other; });
            fault(w, w.code + (pc & ~kParked), l, FaultKind::Deadlock, "divergent-barrier",
                  "only " + lane_names(waiting) + " of its warp reach the barrier; " + lane_names(mask) + " do not");
        }
    });
}

const Inst* leave(Warp& w, const Inst* i, u32 mask) {
    u32 waiting = 0;
    if (w.diverged) [[unlikely]] {
        check_barrier(w, mask);
        for_lanes(w.live & ~w.mask, [&](u32 l) { waiting |= w.lane_pc[l] & kParked; });
    }
    // Remembered, so that those who wait for these lanes do not take them for lanes that never were.
    place(w, mask, waiting);
    w.live &= ~mask;
    if (w.live == 0) {
        w.state = Warp::State::Done;
        return nullptr;
    }
    if (w.diverged) {
        // Those of this group that go on, if any, stand at the next record.
        place(w, w.mask & ~mask, i->pc + 1);
        return resume_lowest(w);
    }
    w.mask &= ~mask;
    w.uniform = true;
    return i + 1;
}

PTXSIM_INLINE u32 taken(Warp& w, const Inst* i) {
    const u32 bits = get_predicate(w, i->a);
    return (i->mods & 1 ? ~bits : bits) & w.mask;
}

}  // namespace

const Inst* gather(Warp& w, const Inst* i, u32 members, FaultKind kind, const char* name) {
    const u32 wanted = members & w.live, missing = wanted & ~w.mask;
    const u32 lane = (u32)std::countr_zero(w.mask), here = i->pc | kParked;
    if ((members & ~w.live) != 0) [[unlikely]] {
        u32 gone = 0;
        for_lanes(members & ~w.live, [&](u32 l) { gone |= (u32)(w.lane_pc[l] == kParked) << l; });
        if (gone != 0) {
            fault(w, i, lane, kind, name, "its mask names " + lane_names(gone) + ", which have exited meanwhile");
        }
    }
    if (w.mask == wanted) [[likely]] {
        return nullptr;
    }
    u32 arrived = 0, coming = 0;
    if (w.diverged && i[-1].run != control::guard) {
        for_lanes(missing, [&](u32 l) {
            arrived |= (u32)(w.lane_pc[l] == here) << l;
            coming |= (u32)(w.lane_pc[l] < kParked) << l;
        });
    }
    if ((w.mask & ~wanted) != 0) {
        fault(w, i, lane, kind, name, lane_names(w.mask & ~wanted) + " run it outside its mask");
    }
    if ((missing & ~arrived & ~coming) != 0) {
        fault(w, i, lane, kind, name,
              "only " + lane_names(w.mask | arrived) + " of its warp are here; missing are " +
                  lane_names(missing & ~arrived));
    }
    place(w, w.mask, arrived == missing ? i->pc : here);
    if (arrived == missing) {
        // All here: they go on together, and the others later.
        place(w, arrived, i->pc);
        u32 next = ~0u;
        for_lanes(w.live & ~wanted, [&](u32 l) { next = std::min(next, w.lane_pc[l]); });
        w.mask = wanted;
        w.stop = next;
        w.diverged = next != ~0u;
        w.uniform = wanted == w.live;
        return nullptr;
    }
    return resume_lowest(w);
}

const Inst* block_head(Warp& w, const Inst* i) {
    if (w.diverged && i->pc >= w.stop) {
        place(w, w.mask, i->pc);
        const Inst* next = resume_lowest(w);
        if (next != i) {
            return next;
        }
    }
    BlockCount& count = w.blocks[i->imm];
    count.warps++;
    count.lanes += (u32)std::popcount(w.mask);
    if (--w.budget == 0) [[unlikely]] {
        fault(w, i, (u32)std::countr_zero(w.mask), FaultKind::Timeout, "timeout",
              "the warp runs without end: the watchdog stopped it");
    }
    return i + 1;
}

const Inst* branch(Warp& w, const Inst* i) {
    return go_to(w, (u32)i->imm);
}

const Inst* branch_if(Warp& w, const Inst* i) {
    const u32 go = taken(w, i);
    if (go == w.mask) {
        return go_to(w, (u32)i->imm);
    }
    if (go == 0) {
        return i + 1;
    }
    place(w, go, (u32)i->imm);
    place(w, w.mask & ~go, i->pc + 1);
    return resume_lowest(w);
}

const Inst* exit(Warp& w, const Inst* i) {
    return leave(w, i, w.mask);
}

const Inst* exit_if(Warp& w, const Inst* i) {
    const u32 go = taken(w, i);
    return go == 0 ? i + 1 : leave(w, i, go);
}

const Inst* guard(Warp& w, const Inst* i) {
    const u32 go = taken(w, i);
    if (go == w.mask) {
        return i + 1;
    }
    if (go == 0) {
        return i + 2;
    }
    const u32 mask = w.mask;
    const bool uniform = w.uniform;
    w.mask = go;
    w.uniform = false;
    i[1].run(w, i + 1);
    w.mask = mask;
    w.uniform = uniform;
    return i + 2;
}

const Inst* trap(Warp& w, const Inst* i) {
    fault(w, i, (u32)std::countr_zero(w.mask), FaultKind::Trap, "trap", "an assertion failed");
}

}  // namespace ptxsim::control
