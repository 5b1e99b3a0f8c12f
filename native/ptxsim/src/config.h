// What the simulated device and driver look like, and what goes wrong on purpose. Read from FARM_PTXSIM_* variables
// once and changed by ptxsimConfigure.
#pragma once
#include <string>
#include <string_view>

#include "lanes.h"

namespace ptxsim {

enum class Schedule : u8 { Forward, Reverse, Shuffled };

struct Config {
    bool check = true;                      // CHECK: the shared-memory checker
    bool eager = false;                     // ASYNC=eager: cp.async moves its bytes at issue, not at the wait
    bool counters = true;                   // COUNTERS
    bool quiet = false;                     // QUIET: no report on stderr
    Schedule schedule = Schedule::Forward;  // SCHEDULE: order of CTAs, and of warps between barriers
    u64 seed = 1;                           // SEED: of the shuffled schedule
    u32 threads = 2;                        // THREADS
    u64 device_memory = 8ull << 30;         // DEVICE_MEMORY, bytes
    u64 fill_limit = 256ull << 20;          // FILL_LIMIT: larger buffers start as zeros
    u32 compute_capability = 80;            // COMPUTE_CAPABILITY
    u32 multiprocessors = 108;              // MULTIPROCESSORS
    u32 shared_per_block = 48 << 10;
    u32 shared_optin = 163 << 10;  // SHARED_OPTIN, bytes
    u32 shared_per_sm = 164 << 10;
    u32 driver_version = 12040;          // DRIVER_VERSION, as cuDriverGetVersion tells it
    u32 devices = 1;                     // DEVICES
    std::string name = "PTX simulator";  // NAME
    u64 watchdog = 200'000'000;          // WATCHDOG: basic blocks that one warp may run
    // Injected errors, each once: the call that counts down to zero fails.
    u64 fail_launch = 0;  // FAIL_LAUNCH: the n-th launch faults while running
    u64 fail_alloc = 0;   // FAIL_ALLOC: the n-th allocation is out of memory
    u64 lose_device = 0;  // LOSE_DEVICE: the n-th launch loses the device
    u32 init_error = 0;   // INIT_ERROR: what cuInit returns
};

Config& config();

/// Sets one value by its name without the prefix, in any case; false and *why if it cannot be.
bool configure(std::string_view key, std::string_view value, std::string* why);
/// Back to the defaults and the environment.
void reset_config();

}  // namespace ptxsim
