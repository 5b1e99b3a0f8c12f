// CTA barriers. A warp that arrives ends its turn; grid.cpp lets it go on when everybody has come.
#include "converge.h"
#include "ops.h"

namespace ptxsim {

void decode_warp_barrier(Builder& b);

namespace {

constexpr u32 kCounted = 1;  // the number of threads is given

const Inst* arrive(Warp& w, const Inst* i) {
    if (const Inst* other = control::gather(w, i, w.live, FaultKind::Deadlock, "divergent-barrier")) {
        return other;
    }
    w.barrier_id = get<u32>(w, i->a)[std::countr_zero(w.mask)];
    w.barrier_threads = i->mods & kCounted ? get<u32>(w, i->b)[std::countr_zero(w.mask)] : 0;
    if (w.barrier_id >= 16 || w.barrier_threads % kLanes != 0) {
        fault(w, i, (u32)std::countr_zero(w.mask), FaultKind::IllegalInstruction, "illegal-instruction",
              "barrier " + std::to_string(w.barrier_id) + " of " + std::to_string(w.barrier_threads) +
                  " threads: there are 16 barriers, and a count is a multiple of 32");
    }
    w.state = Warp::State::AtBarrier;
    w.barrier_at = i;
    w.resume = i + 1;
    return nullptr;
}

void decode_bar(Builder& b) {
    b.take("cta");
    if (b.take("warp")) {
        b.take("sync");
        decode_warp_barrier(b);
        return;
    }
    b.take("aligned");
    if (!b.take("sync")) {
        b.error("only .sync is supported");
    }
    b.require_operands(1, 2);
    b.inst.a = b.source(0, Type::U32);
    if (b.operands() == 2) {
        b.inst.b = b.source(1, Type::U32);
        b.inst.mods |= kCounted;
    }
    b.counts().barriers++;
    b.inst.run = arrive;
}

const Inst* trap_now(Warp& w, const Inst* i) {
    return control::trap(w, i);
}

void decode_trap(Builder& b) {
    b.inst.run = trap_now;
}

constexpr OpDecoder kOps[] = {
    {"bar", decode_bar}, {"barrier", decode_bar}, {"trap", decode_trap}, {"brkpt", decode_trap}};

}  // namespace

std::span<const OpDecoder> barrier_ops() {
    return kOps;
}

}  // namespace ptxsim
