// The one context of the simulated device, and the lock that every entry point takes.
#pragma once
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "api.h"
#include "module.h"
#include "stream.h"

namespace ptxsim {

struct Context {
    bool initialised = false;
    u32 references = 0;  // of the primary context
    Result sticky = Result::Success;
    std::string report;  // of the last fault
    u64 reports = 0;
    std::vector<std::unique_ptr<Module>> modules;
    std::vector<std::unique_ptr<Event>> events;
    std::vector<std::unique_ptr<Graph>> graphs;  // also the executable ones
    std::recursive_mutex mutex;
};

Context& context();
/// Frees everything and forgets the error.
void reset_context();
/// True on the calling thread after cuCtxSetCurrent.
bool& context_is_current();

/// Locks; what an entry point does first.
class ApiLock {
  public:
    ApiLock() : lock_(context().mutex) {}

  private:
    std::lock_guard<std::recursive_mutex> lock_;
};

/// Success, or why no call on this thread can do anything now: not initialised, no context, an earlier fault.
Result ready();
/// Runs a launch now; a fault becomes the result and the report.
Result run_and_report(const Launch& launch);
std::string describe_launch(const Launch& launch);

template <class T>
bool owns(const std::vector<std::unique_ptr<T>>& list, const void* handle) {
    for (const auto& item : list) {
        if (item.get() == handle) {
            return true;
        }
    }
    return false;
}

template <class T>
bool drop(std::vector<std::unique_ptr<T>>& list, const void* handle) {
    for (size_t k = 0; k < list.size(); k++) {
        if (list[k].get() == handle) {
            list.erase(list.begin() + (ptrdiff_t)k);
            return true;
        }
    }
    return false;
}

}  // namespace ptxsim
