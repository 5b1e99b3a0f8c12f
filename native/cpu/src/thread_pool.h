// Persistent workers that share the tasks of one parallel region at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace farm {

class ThreadPool {
  public:
    using Function = void (*)(void* argument, int task, int thread);

    explicit ThreadPool(int threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int threads() const { return threads_; }

    // Calls function(argument, task, thread) for task 0 .. tasks - 1 on all threads and returns when all are done.
    // Tasks are taken one by one, so that a thread that is held up by the system does less; one that has not come by
    // the time they are all taken is not waited for, which is what makes short regions bearable on a busy machine.
    void run(int tasks, Function function, void* argument);

    // The same with a callable body(task, thread).
    template <class Body>
    void parallel(int tasks, const Body& body) {
        run(
            tasks, [](void* b, int task, int thread) { (*static_cast<const Body*>(b))(task, thread); },
            const_cast<void*>(static_cast<const void*>(&body)));
    }

    // body(row, thread) for every row; neighbouring rows share a task, since taking one costs what a short row does.
    template <class Body>
    void parallel_rows(int rows, const Body& body) {
        constexpr int kMostRows = 16;
        int each = rows / (threads_ * 4);
        each = each < 1 ? 1 : each > kMostRows ? kMostRows : each;
        parallel((rows + each - 1) / each, [&](int task, int thread) {
            int end = (task + 1) * each < rows ? (task + 1) * each : rows;
            for (int row = task * each; row < end; row++) body(row, thread);
        });
    }

  private:
    void work(int thread);
    void take_tasks(int thread);

    // Joins the region if it is still open; seen becomes its epoch either way.
    bool enter(uint32_t& seen);

    static constexpr int kMaxThreads = 256;
    int threads_;
    std::thread* workers_ = nullptr;
    alignas(64) std::atomic<uint32_t> epoch_{0};
    alignas(64) std::atomic<int> next_{0};
    // The region's epoch in the upper half, then whether it may be joined, then the number of workers inside.
    static constexpr uint64_t kOpen = uint64_t{1} << 31, kInside = kOpen - 1;
    alignas(64) std::atomic<uint64_t> region_{0};
    std::atomic<bool> stop_{false};
    int tasks_ = 0;
    Function function_ = nullptr;
    void* argument_ = nullptr;
};

}  // namespace farm
