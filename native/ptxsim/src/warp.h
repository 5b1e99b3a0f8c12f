// State of a running launch: grid, CTA, warp, and what a worker thread keeps between CTAs.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "checker.h"
#include "counters.h"
#include "fragments.h"
#include "memory.h"
#include "program.h"

namespace ptxsim {

struct Dim3 {
    u32 x = 1, y = 1, z = 1;
    u64 count() const { return (u64)x * y * z; }
};

/// A launch that is ready to run; parameters are already copied.
struct Launch {
    const Kernel* kernel = nullptr;
    Dim3 grid, block;
    u32 dynamic_shared = 0;
    std::vector<u8> parameters;
};

enum class FaultKind : u8 { IllegalAddress, Misaligned, IllegalInstruction, Hazard, Deadlock, Timeout, Trap, Injected };

/// Thrown by handlers; ends the launch.
struct Fault {
    FaultKind kind;
    std::string name;    // "misaligned-access": what tests look for
    std::string report;  // several lines
};

/// Thrown where a CTA waits for others and one of them has failed: the fault is theirs.
struct Abandoned {};

struct Worker;
struct Cta;

/// cp.async copies that a warp has issued and not yet waited for.
struct AsyncCopy {
    u32 mask = 0;  // lanes whose copy is still pending
    u32 bytes = 0;
    u32 pc = 0;
    u32 group[kLanes];  // number of the lane's group that the copy belongs to
    u32 to[kLanes];     // shared offset
    u32 take[kLanes];   // source bytes; the rest is zero-filled
    const u8* from[kLanes];
};

struct BlockCount {
    u64 warps = 0, lanes = 0;
};

struct Warp {
    enum class State : u8 { Ready, AtBarrier, Done };

    u8* frame = nullptr;
    Origins* origins = nullptr;  // of the 32-bit registers, by their place in the frame
    u32 mask = 0;                // active lanes
    u32 live = 0;                // lanes that exist and have not exited
    bool uniform = true;         // every live lane is active, so that results may be written to all 32
    bool diverged = false;       // lanes stand at different records; lane_pc tells where
    State state = State::Ready;
    u32 stop = ~0u;  // while diverged: where the next group of lanes waits
    u32 index = 0;
    const Inst* resume = nullptr;
    const Inst* code = nullptr;
    BlockCount* blocks = nullptr;
    u64 budget = 0;  // blocks left before the watchdog
    Cta* cta = nullptr;
    Worker* worker = nullptr;
    u32 barrier_id = 0, barrier_threads = 0;
    const Inst* barrier_at = nullptr;
    WarpClock clock;
    u32 committed[kLanes];  // cp.async groups closed so far
    std::vector<AsyncCopy> copies;
    u32 lane_pc[kLanes];
};

struct Cta {
    const Launch* launch = nullptr;
    Dim3 id;
    u8* shared = nullptr;
    u32 shared_bytes = 0;
    u32 warps = 0, threads = 0;
};

struct Worker {
    std::vector<Warp> warps;
    std::unique_ptr<u8, void (*)(u8*)> frames{nullptr, nullptr};
    size_t frames_bytes = 0;
    std::unique_ptr<u8, void (*)(u8*)> shared{nullptr, nullptr};
    u64 prepared = 0;  // Kernel::id whose constants the frames hold
    u32 prepared_warps = 0;
    Cta cta;
    DeviceView view;
    Traffic traffic;
    SharedShadow shadow;
    SharedOrigins origins;
    std::unique_ptr<u8, void (*)(u8*)> register_origins{nullptr, nullptr};
    size_t register_origins_bytes = 0;
    KernelCounters counters;
    std::vector<BlockCount> blocks;
    bool check = false, eager = false, count = true;
    const std::atomic<bool>* failed = nullptr;  // another CTA of the launch has
    bool follow = false;                        // the checker is on, and the kernel has operands whose origins matter
};

[[noreturn]] void fault(const Warp& w, const Inst* i, u32 lane, FaultKind kind, std::string_view name,
                        const std::string& text);
/// "thread (3,0,0)" of this CTA.
std::string thread_name(const Cta& cta, u32 thread);
inline u32 thread_of(const Warp& w, u32 lane) {
    return w.index * kLanes + lane;
}
/// "lanes 0-3, 7"
std::string lane_names(u32 mask);

}  // namespace ptxsim
