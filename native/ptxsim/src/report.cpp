// Faults as text: kernel, source line, CTA, thread, and what happened.
#include "warp.h"

namespace ptxsim {

std::string thread_name(const Cta& cta, u32 thread) {
    const Dim3& block = cta.launch->block;
    const u32 x = thread % block.x, y = thread / block.x % block.y, z = thread / (block.x * block.y);
    return "thread (" + std::to_string(x) + "," + std::to_string(y) + "," + std::to_string(z) + ")";
}

std::string lane_names(u32 mask) {
    std::string text;
    for (u32 l = 0; l < kLanes; l++) {
        if ((mask >> l & 1) == 0) {
            continue;
        }
        u32 end = l;
        while (end + 1 < kLanes && (mask >> (end + 1) & 1) != 0) {
            end++;
        }
        text += (text.empty() ? "" : ", ") + std::to_string(l) + (end > l ? "-" + std::to_string(end) : "");
        l = end;
    }
    return (std::popcount(mask) == 1 ? "lane " : "lanes ") + text;
}

void fault(const Warp& w, const Inst* i, u32 lane, FaultKind kind, std::string_view name, const std::string& text) {
    const Kernel& kernel = *w.cta->launch->kernel;
    const Dim3& cta = w.cta->id;
    Fault fault{kind, std::string(name), {}};
    fault.report = fault.name + " in kernel " + kernel.name + " at " + kernel.where(i->pc) + ", CTA (" +
                   std::to_string(cta.x) + "," + std::to_string(cta.y) + "," + std::to_string(cta.z) + "), " +
                   thread_name(*w.cta, thread_of(w, lane)) + " [warp " + std::to_string(w.index) + ", lane " +
                   std::to_string(lane) + "]: " + text + "\n  instruction: " + kernel.opcode[i->pc] + " (PTX line " +
                   std::to_string(kernel.ptx_line[i->pc]) + ")";
    throw fault;
}

}  // namespace ptxsim
