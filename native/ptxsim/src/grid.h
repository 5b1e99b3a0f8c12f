// Runs a launch: CTAs over worker threads, warps of a CTA in turns from barrier to barrier.
#pragma once
#include "warp.h"

namespace ptxsim {

/// Runs every CTA. Throws the Fault of the first CTA (in schedule order of the thread that found one) that failed.
void run_launch(const Launch& launch);

}  // namespace ptxsim
