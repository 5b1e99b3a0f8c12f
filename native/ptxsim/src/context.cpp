#include "context.h"

#include <cstdio>

#include "config.h"
#include "grid.h"

namespace ptxsim {

Context& context() {
    // Never destroyed: a host may call in while the process ends.
    static Context* current = new Context;
    return *current;
}

bool& context_is_current() {
    static thread_local bool current = false;
    return current;
}

void reset_context() {
    Context& c = context();
    for (const auto& stream : streams()) {
        stream->queue.clear();
        stream->waits.clear();
        stream->done = stream->queued;
        stream->capture = nullptr;
    }
    if (!streams().empty()) {
        null_stream();
        streams().resize(1);
    }
    c.graphs.clear();
    c.events.clear();
    c.modules.clear();
    device_memory().clear();
    c.sticky = Result::Success;
}

Result ready() {
    Context& c = context();
    if (!c.initialised) {
        return Result::NotInitialized;
    }
    if (!context_is_current() || c.references == 0) {
        return Result::InvalidContext;
    }
    return c.sticky;
}

std::string describe_launch(const Launch& launch) {
    const auto triple = [](const Dim3& d) {
        return "(" + std::to_string(d.x) + "," + std::to_string(d.y) + "," + std::to_string(d.z) + ")";
    };
    return "grid " + triple(launch.grid) + ", block " + triple(launch.block) + ", " +
           std::to_string(launch.dynamic_shared) + " bytes of dynamic shared memory";
}

namespace {

Result code_of(FaultKind kind) {
    switch (kind) {
        case FaultKind::IllegalAddress:
            return Result::IllegalAddress;
        case FaultKind::Misaligned:
            return Result::MisalignedAddress;
        case FaultKind::IllegalInstruction:
            return Result::IllegalInstruction;
        case FaultKind::Deadlock:
        case FaultKind::Timeout:
            return Result::LaunchTimeout;
        case FaultKind::Trap:
            return Result::LaunchFailed;
        default:
            return Result::LaunchFailed;
    }
}

bool counts_down(u64 Config::*field) {
    u64& left = config().*field;
    return left > 0 && --left == 0;
}

}  // namespace

Result run_and_report(const Launch& launch) {
    Context& c = context();
    std::string text;
    Result result = Result::Success;
    if (counts_down(&Config::lose_device)) {
        text = "injected: the device is lost before kernel " + launch.kernel->name;
        result = Result::DeviceLost;
    } else if (counts_down(&Config::fail_launch)) {
        text = "injected: kernel " + launch.kernel->name + " fails";
        result = Result::LaunchFailed;
    } else {
        try {
            run_launch(launch);
            return Result::Success;
        } catch (const Fault& fault) {
            text = fault.report;
            result = code_of(fault.kind);
        }
    }
    c.report = text + "\n  launch: " + describe_launch(launch);
    c.reports++;
    if (!config().quiet) {
        std::fprintf(stderr, "ptxsim: %s\n", c.report.c_str());
    }
    return result;
}

}  // namespace ptxsim
