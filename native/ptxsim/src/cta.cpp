#include "cta.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <random>

#include "config.h"
#include "ops.h"

namespace ptxsim {

namespace {

using AlignedBytes = std::unique_ptr<u8, void (*)(u8*)>;

AlignedBytes aligned_bytes(size_t bytes) {
    return {static_cast<u8*>(std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096)), [](u8* p) { std::free(p); }};
}

u32 static_special(const Launch& launch, Special what) {
    switch (what) {
        case Special::NtidX:
            return launch.block.x;
        case Special::NtidY:
            return launch.block.y;
        case Special::NtidZ:
            return launch.block.z;
        case Special::NctaidX:
            return launch.grid.x;
        case Special::NctaidY:
            return launch.grid.y;
        case Special::NctaidZ:
            return launch.grid.z;
        case Special::Nwarpid:
            return (u32)((launch.block.count() + kLanes - 1) / kLanes);
        case Special::Nsmid:
            return config().multiprocessors;
        case Special::DynamicSmemSize:
            return launch.dynamic_shared;
        case Special::TotalSmemSize:
            return launch.kernel->dynamic_base + launch.dynamic_shared;
        default:
            return 0;
    }
}

void fill_special(Warp& w, const Launch& launch, const Kernel::SpecialSlot& special) {
    Lanes<u32>& slot = *reinterpret_cast<Lanes<u32>*>(w.frame + special.slot);
    const Dim3& block = launch.block;
    const Lanes<u32> lane = iota<u32>(), thread = lane + splat(w.index * kLanes);
    switch (special.what) {
        case Special::TidX:
            slot = block.y * block.z == 1 ? thread : thread % splat(block.x);
            break;
        case Special::TidY:
            slot = thread / splat(block.x) % splat(block.y);
            break;
        case Special::TidZ:
            slot = thread / splat(block.x * block.y);
            break;
        case Special::CtaidX:
            slot = splat(w.cta->id.x);
            break;
        case Special::CtaidY:
            slot = splat(w.cta->id.y);
            break;
        case Special::CtaidZ:
            slot = splat(w.cta->id.z);
            break;
        case Special::LaneId:
            slot = lane;
            break;
        case Special::WarpId:
            slot = splat(w.index);
            break;
        case Special::SmId:
            slot = splat((u32)((w.cta->id.x + (u64)w.cta->id.y * launch.grid.x) % config().multiprocessors));
            break;
        case Special::LaneMaskEq:
            slot = splat(1u) << lane;
            break;
        case Special::LaneMaskLt:
            slot = (splat(1u) << lane) - splat(1u);
            break;
        case Special::LaneMaskLe:
            slot = splat(~0u) >> (splat(31u) - lane);
            break;
        case Special::LaneMaskGt:
            slot = ~(splat(~0u) >> (splat(31u) - lane));
            break;
        case Special::LaneMaskGe:
            slot = splat(~0u) << lane;
            break;
        case Special::Clock:
            slot = splat((u32)__builtin_readcyclecounter());
            break;
        case Special::Clock64:
        case Special::GlobalTimer:
            *reinterpret_cast<Lanes<u64>*>(w.frame + special.slot) = splat((u64)__builtin_readcyclecounter());
            break;
        case Special::GridId:
            *reinterpret_cast<Lanes<u64>*>(w.frame + special.slot) = splat<u64>(1);
            break;
        default:
            slot = splat(static_special(launch, special.what));
            break;
    }
}

void fill_constants(u8* frame, const Kernel& kernel) {
    for (const Kernel::Constant& constant : kernel.constants) {
        u8* slot = frame + constant.slot;
        if (constant.predicate) {
            *reinterpret_cast<u32*>(slot) = constant.bits ? kAllLanes : 0;
        } else if (constant.bytes == 8) {
            *reinterpret_cast<Lanes<u64>*>(slot) = splat<u64>(constant.bits);
        } else if (constant.bytes == 4) {
            *reinterpret_cast<Lanes<u32>*>(slot) = splat<u32>((u32)constant.bits);
        } else {
            *reinterpret_cast<Lanes<u16>*>(slot) = splat<u16>((u16)constant.bits);
        }
    }
}

void begin_warp(Warp& w, Worker& worker, const Launch& launch, u32 index, u32 threads) {
    const u32 lanes = std::min(kLanes, threads - index * kLanes);
    w.live = lanes == kLanes ? kAllLanes : (1u << lanes) - 1;
    w.mask = w.live;
    w.uniform = true;
    w.diverged = false;
    w.stop = ~0u;
    w.state = Warp::State::Ready;
    w.index = index;
    w.code = launch.kernel->code.data();
    w.resume = w.code;
    w.blocks = worker.blocks.data();
    w.budget = config().watchdog;
    w.cta = &worker.cta;
    w.worker = &worker;
    w.copies.clear();
    std::memset(w.lane_pc, 0, sizeof w.lane_pc);
    std::memset(w.committed, 0, sizeof w.committed);
    for (const Kernel::SpecialSlot& special : launch.kernel->specials) {
        fill_special(w, launch, special);
    }
}

void run_warp(Warp& w) {
    const Inst* i = w.resume;
    do {
        i = i->run(w, i);
    } while (i != nullptr);
}

std::string barrier_places(const std::vector<Warp>& warps, u32 count) {
    std::string text;
    const Kernel& kernel = *warps[0].cta->launch->kernel;
    for (u32 k = 0; k < count; k++) {
        const Warp& w = warps[k];
        text += "\n  warp " + std::to_string(k) + ": " +
                (w.state == Warp::State::Done
                     ? "has exited"
                     : "waits at barrier " + std::to_string(w.barrier_id) + ", " + kernel.where(w.barrier_at->pc));
    }
    return text;
}

/// Lets go the warps of every barrier that is complete. False if there is none.
bool release_barriers(Worker& worker, u32 count) {
    bool released = false;
    for (u32 first = 0; first < count; first++) {
        const Warp& head = worker.warps[first];
        if (head.state != Warp::State::AtBarrier) {
            continue;
        }
        u64 members = 0, gone = 0;
        u32 waiting = 0, alive = 0;
        const Warp* other = nullptr;
        for (u32 k = 0; k < count; k++) {
            const Warp& w = worker.warps[k];
            alive += w.state != Warp::State::Done;
            gone |= (u64)(w.state == Warp::State::Done) << k;
            if (w.state == Warp::State::AtBarrier && w.barrier_id == head.barrier_id) {
                members |= 1ull << k;
                waiting++;
                other = w.barrier_at != head.barrier_at ? &w : other;
            }
        }
        if (head.barrier_threads == 0 ? waiting != alive : waiting * kLanes != head.barrier_threads) {
            continue;
        }
        // __syncthreads() in two branches: some chips let it pass, none promises to.
        if (other != nullptr && worker.check && head.barrier_threads == 0) {
            fault(*other, other->barrier_at, (u32)std::countr_zero(other->live), FaultKind::Deadlock,
                  "divergent-barrier",
                  "the warps of the CTA wait at different barriers in the code:" + barrier_places(worker.warps, count));
        }
        // A warp that has exited counts as one that has come.
        SharedShadow::synchronise(worker.warps.data(), members | (head.barrier_threads == 0 ? gone : 0));
        for (u64 rest = members; rest != 0; rest &= rest - 1) {
            worker.warps[std::countr_zero(rest)].state = Warp::State::Ready;
        }
        released = true;
    }
    return released;
}

}  // namespace

void prepare_worker(Worker& worker, const Launch& launch) {
    const Kernel& kernel = *launch.kernel;
    const u32 warps = (u32)((launch.block.count() + kLanes - 1) / kLanes);
    const size_t frames = (size_t)warps * kernel.frame_bytes;
    if (worker.shared == nullptr) {
        worker.shared = aligned_bytes(256 << 10);
    }
    if (frames > worker.frames_bytes) {
        worker.frames = aligned_bytes(frames + 256);
        worker.frames_bytes = frames;
        worker.prepared = 0;
    }
    worker.warps.resize(std::max<size_t>(worker.warps.size(), warps));
    if (worker.prepared != kernel.id || worker.prepared_warps < warps) {
        for (u32 k = 0; k < warps; k++) {
            worker.warps[k].frame = worker.frames.get() + (size_t)k * kernel.frame_bytes;
            fill_constants(worker.warps[k].frame, kernel);
        }
        worker.prepared = kernel.id;
        worker.prepared_warps = warps;
    }
    worker.follow = config().check && kernel.follows_origins;
    if (worker.follow) {
        const size_t slots = kernel.frame_bytes / sizeof(Lanes<u32>), bytes = warps * slots * sizeof(Origins);
        if (bytes > worker.register_origins_bytes) {
            worker.register_origins = aligned_bytes(bytes);
            worker.register_origins_bytes = bytes;
            std::memset(worker.register_origins.get(), 0, bytes);
        }
        for (u32 k = 0; k < warps; k++) {
            worker.warps[k].origins = reinterpret_cast<Origins*>(worker.register_origins.get()) + k * slots;
        }
        worker.origins.begin_launch(launch.dynamic_shared == 0 ? kernel.static_shared
                                                               : kernel.dynamic_base + launch.dynamic_shared);
    }
    worker.blocks.assign(kernel.blocks.size(), {});
    worker.counters = {};
    worker.view.hot = {};
    worker.check = config().check;
    worker.eager = config().eager;
    worker.count = config().counters;
}

void run_cta(Worker& worker, const Launch& launch, Dim3 id) {
    const Kernel& kernel = *launch.kernel;
    const u32 threads = (u32)launch.block.count(), warps = (threads + kLanes - 1) / kLanes;
    worker.cta.launch = &launch;
    worker.cta.id = id;
    worker.cta.shared = worker.shared.get();
    worker.cta.shared_bytes =
        launch.dynamic_shared == 0 ? kernel.static_shared : kernel.dynamic_base + launch.dynamic_shared;
    worker.cta.warps = warps;
    worker.cta.threads = threads;
    std::memset(worker.cta.shared, 0xFF, worker.cta.shared_bytes);
    for (u32 k = 0; k < warps; k++) {
        begin_warp(worker.warps[k], worker, launch, k, threads);
    }
    worker.shadow.begin_cta(worker.cta.shared_bytes, kernel.shared_granule, worker.warps.data(), warps);
    // Also after a fault: the next CTA's times must be later than this one's.
    struct EndOfCta {
        Worker& worker;
        u32 warps;
        ~EndOfCta() { worker.shadow.end_cta(worker.warps.data(), warps); }
    } const end{worker, warps};

    u32 order[32];
    std::iota(order, order + warps, 0u);
    std::minstd_rand random((u32)(config().seed * 7919 + id.x + 31 * id.y + 961 * id.z + 1));
    for (u32 turn = 0;; turn++) {
        if (config().schedule == Schedule::Reverse && turn == 0) {
            std::reverse(order, order + warps);
        } else if (config().schedule == Schedule::Shuffled) {
            std::shuffle(order, order + warps, random);
        }
        bool any_alive = false;
        for (u32 k = 0; k < warps; k++) {
            Warp& w = worker.warps[order[k]];
            if (w.state == Warp::State::Ready) {
                run_warp(w);
            }
            any_alive |= w.state != Warp::State::Done;
        }
        if (!any_alive) {
            break;
        }
        if (!release_barriers(worker, warps)) {
            const auto stuck = std::find_if(worker.warps.begin(), worker.warps.begin() + warps,
                                            [](const Warp& w) { return w.state == Warp::State::AtBarrier; });
            fault(*stuck, stuck->barrier_at, (u32)std::countr_zero(stuck->live), FaultKind::Deadlock,
                  "divergent-barrier",
                  "waits at a barrier that the others never reach:" + barrier_places(worker.warps, warps));
        }
    }
}

}  // namespace ptxsim
