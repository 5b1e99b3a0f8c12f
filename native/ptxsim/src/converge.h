// Lanes that stand apart meet at an instruction that needs them together, as on a device with independent thread
// scheduling.
#pragma once
#include "warp.h"

namespace ptxsim {

/// Added to a lane's record while it waits there for others: it runs again only when nobody else can.
inline constexpr u32 kParked = 1u << 31;

namespace control {

/// Null when exactly the live ones of `members` are active now. Otherwise this group waits, and what is returned runs
/// next; faults if the missing lanes cannot come any more.
const Inst* gather(Warp& w, const Inst* i, u32 members, FaultKind kind, const char* name);

}  // namespace control

}  // namespace ptxsim
