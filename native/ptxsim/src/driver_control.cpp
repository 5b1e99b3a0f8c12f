// Entry points that a real driver does not have: settings, counters, the checker's text. Strings stay valid until the
// next call of the same function on the same thread.
#include "config.h"
#include "context.h"
#include "counters.h"

namespace ptxsim {

/// Sets FARM_PTXSIM_<key> for this process. 0, or 1 with the reason in ptxsimLastReport.
PTXSIM_EXPORT int ptxsimConfigure(const char* key, const char* value) {
    const ApiLock lock;
    std::string why;
    if (key != nullptr && value != nullptr && configure(key, value, &why)) {
        return 0;
    }
    context().report = "ptxsimConfigure: " + why;
    return 1;
}

/// As a fresh process: every buffer, stream and module is gone, the error forgotten, settings and counters at their
/// start. Contexts that are retained stay so.
PTXSIM_EXPORT void ptxsimReset() {
    const ApiLock lock;
    reset_context();
    reset_config();
    clear_counters();
    context().report.clear();
    context().reports = 0;
}

/// Forgets the sticky error and the report, keeps memory and modules: for tests that provoke one fault after another.
PTXSIM_EXPORT void ptxsimClearError() {
    const ApiLock lock;
    context().sticky = Result::Success;
    context().report.clear();
}

PTXSIM_EXPORT const char* ptxsimLastReport() {
    const ApiLock lock;
    static thread_local std::string text;
    text = context().report;
    return text.c_str();
}

/// How many reports there were since the last reset.
PTXSIM_EXPORT unsigned long long ptxsimReportCount() {
    const ApiLock lock;
    return context().reports;
}

PTXSIM_EXPORT const char* ptxsimCountersJson() {
    const ApiLock lock;
    static thread_local std::string text;
    text = counters_json();
    return text.c_str();
}

PTXSIM_EXPORT void ptxsimResetCounters() {
    const ApiLock lock;
    clear_counters();
}

/// Device buffers that nobody has freed.
PTXSIM_EXPORT unsigned long long ptxsimLiveBuffers() {
    const ApiLock lock;
    return device_memory().live_buffers();
}

PTXSIM_EXPORT unsigned long long ptxsimUsedBytes() {
    const ApiLock lock;
    return device_memory().used();
}

}  // namespace ptxsim
