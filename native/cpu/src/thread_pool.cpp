#include "thread_pool.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace farm {
namespace {

// Long enough to bridge the managed code between two operations of a token step, short enough to leave an idle machine
// idle.
constexpr int kSpins = 3000;

inline void pause_cpu() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) : threads_(threads < 1 ? 1 : threads > kMaxThreads ? kMaxThreads : threads) {
    workers_ = new std::thread[static_cast<size_t>(threads_)];
    for (int t = 1; t < threads_; t++) workers_[t] = std::thread([this, t] { work(t); });
}

ThreadPool::~ThreadPool() {
    stop_.store(true);
    epoch_.fetch_add(1);
    epoch_.notify_all();
    for (int t = 1; t < threads_; t++) workers_[t].join();
    delete[] workers_;
}

void ThreadPool::take_tasks(int thread) {
    for (int task; (task = next_.fetch_add(1, std::memory_order_relaxed)) < tasks_;) function_(argument_, task, thread);
}

void ThreadPool::run(int tasks, Function function, void* argument) {
    if (tasks <= 0) return;
    if (threads_ == 1 || tasks == 1) {
        for (int task = 0; task < tasks; task++) function(argument, task, 0);
        return;
    }
    // The region before is closed and empty, so nobody reads these.
    tasks_ = tasks;
    function_ = function;
    argument_ = argument;
    next_.store(0, std::memory_order_relaxed);
    uint32_t epoch = epoch_.load(std::memory_order_relaxed) + 1;
    region_.store(uint64_t{epoch} << 32 | kOpen, std::memory_order_release);
    epoch_.store(epoch, std::memory_order_release);
    epoch_.notify_all();
    take_tasks(0);
    uint64_t inside = region_.fetch_and(~kOpen, std::memory_order_acquire) & kInside;
    for (int spin = 0; inside != 0; spin++) {
        if (spin < kSpins)
            pause_cpu();
        else
            std::this_thread::yield();
        inside = region_.load(std::memory_order_acquire) & kInside;
    }
}

bool ThreadPool::enter(uint32_t& seen) {
    uint64_t region = region_.load(std::memory_order_acquire);
    do {
        seen = static_cast<uint32_t>(region >> 32);
        if ((region & kOpen) == 0) return false;
    } while (!region_.compare_exchange_weak(region, region + 1, std::memory_order_acquire));
    return true;
}

void ThreadPool::work(int thread) {
    uint32_t seen = 0;
    for (;;) {
        for (int spin = 0; epoch_.load(std::memory_order_acquire) == seen; spin++) {
            if (spin < kSpins)
                pause_cpu();
            else
                epoch_.wait(seen, std::memory_order_acquire);
        }
        if (stop_.load()) return;
        if (enter(seen)) {
            take_tasks(thread);
            region_.fetch_sub(1, std::memory_order_release);
        }
    }
}

}  // namespace farm
