#include "access.h"

namespace ptxsim {

namespace {

std::string bytes_text(u32 bytes) {
    return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
}

}  // namespace

void global_fault(const Warp& w, const Inst* i, u32 lane, u64 address, u32 bytes, const char* verb) {
    const std::string what = std::string(verb) + " " + bytes_text(bytes) + " of global memory: ";
    if (device_memory().resolve(address, bytes) != nullptr) {
        fault(w, i, lane, FaultKind::Misaligned, "misaligned-access",
              what + device_memory().describe(address) + ", which is not a multiple of " + std::to_string(bytes));
    }
    fault(w, i, lane, FaultKind::IllegalAddress, "out-of-bounds", what + device_memory().describe(address));
}

void shared_fault(const Warp& w, const Inst* i, u32 lane, u64 offset, u32 bytes, const char* verb) {
    const std::string what = std::string(verb) + " " + bytes_text(bytes) + " of shared memory at offset " +
                             std::to_string((i64)offset) + ": ";
    if (offset <= w.cta->shared_bytes && bytes <= w.cta->shared_bytes - offset) {
        fault(w, i, lane, FaultKind::Misaligned, "misaligned-access",
              what + "not a multiple of " + std::to_string(bytes));
    }
    fault(w, i, lane, FaultKind::IllegalAddress, "out-of-bounds",
          what + "the block has " + bytes_text(w.cta->shared_bytes));
}

}  // namespace ptxsim
