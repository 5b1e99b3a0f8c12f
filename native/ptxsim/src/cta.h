// One CTA on one worker.
#pragma once
#include "warp.h"

namespace ptxsim {

/// Gets frames, shared memory and constants ready for a launch's CTAs.
void prepare_worker(Worker& worker, const Launch& launch);
void run_cta(Worker& worker, const Launch& launch, Dim3 id);

}  // namespace ptxsim
