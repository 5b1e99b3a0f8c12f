#include "grid.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "config.h"
#include "cta.h"

namespace ptxsim {

namespace {

/// A launch being worked on. Threads take CTAs by number; the schedule maps numbers to positions.
struct Job {
    const Launch* launch;
    u64 count;
    std::vector<u32> order;  // only for the shuffled schedule
    std::atomic<u64> next{0};
    std::atomic<bool> failed{false};
    std::mutex mutex;
    std::optional<Fault> fault;
    u64 fault_at = ~0ull;
};

Dim3 position(const Job& job, u64 number) {
    u64 k = number;
    if (config().schedule == Schedule::Reverse) {
        k = job.count - 1 - number;
    } else if (!job.order.empty()) {
        k = job.order[number];
    }
    const Dim3& grid = job.launch->grid;
    return {(u32)(k % grid.x), (u32)(k / grid.x % grid.y), (u32)(k / ((u64)grid.x * grid.y))};
}

void work(Job& job, Worker& worker) {
    prepare_worker(worker, *job.launch);
    worker.failed = &job.failed;
    while (!job.failed.load(std::memory_order_relaxed)) {
        const u64 number = job.next.fetch_add(1);
        if (number >= job.count) {
            break;
        }
        try {
            run_cta(worker, *job.launch, position(job, number));
        } catch (const Fault& fault) {
            const std::lock_guard lock(job.mutex);
            if (number < job.fault_at) {
                job.fault = fault;
                job.fault_at = number;
            }
            job.failed = true;
        } catch (const Abandoned&) {
            break;
        }
    }
}

/// Helper threads that sleep between launches. They live as long as the process.
class Pool {
  public:
    static Pool& get() {
        // Never destroyed: threads must not outlive it at exit.
        static Pool* pool = new Pool;
        return *pool;
    }

    void run(Job& job, u32 helpers) {
        {
            const std::lock_guard lock(mutex_);
            while (workers_.size() < helpers + 1) {
                workers_.push_back(std::make_unique<Worker>());
                if (workers_.size() > 1) {
                    const u32 index = (u32)workers_.size() - 1;
                    std::thread([this, index] { loop(index); }).detach();
                }
            }
            job_ = &job;
            wanted_ = helpers;
            joined_.clear();
            generation_++;
        }
        if (helpers > 0) {
            wake_.notify_all();
        }
        work(job, *workers_[0]);
        std::unique_lock lock(mutex_);
        job_ = nullptr;
        idle_.wait(lock, [this] { return busy_ == 0; });
        joined_.push_back(0);
    }

    /// Workers that took part in the last run.
    std::vector<Worker*> participants() {
        std::vector<Worker*> list;
        for (const u32 index : joined_) {
            list.push_back(workers_[index].get());
        }
        return list;
    }

  private:
    void loop(u32 index) {
        u64 seen = 0;
        std::unique_lock lock(mutex_);
        for (;;) {
            wake_.wait(lock, [&] { return job_ != nullptr && generation_ != seen && index <= wanted_; });
            seen = generation_;
            Job* job = job_;
            busy_++;
            joined_.push_back(index);
            Worker& worker = *workers_[index];
            lock.unlock();
            work(*job, worker);
            lock.lock();
            if (--busy_ == 0) {
                idle_.notify_all();
            }
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_, idle_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<u32> joined_;
    Job* job_ = nullptr;
    u32 wanted_ = 0, busy_ = 0;
    u64 generation_ = 0;
};

/// Static contents of each block times how often it ran.
void count_instructions(const Kernel& kernel, const Worker& worker, KernelCounters& sum) {
    for (size_t k = 0; k < kernel.blocks.size(); k++) {
        const Block& block = kernel.blocks[k];
        const BlockCount& ran = worker.blocks[k];
        sum.warp_instructions += ran.warps * block.instructions;
        sum.lane_instructions += ran.lanes * block.instructions;
        sum.flops += ran.lanes * block.flops;
        sum.mma += ran.warps * block.mma;
        sum.mma_flops += ran.warps * block.mma_flops;
        sum.ldmatrix += ran.warps * block.ldmatrix;
        sum.barriers += ran.warps * block.barriers;
    }
}

}  // namespace

void run_launch(const Launch& launch) {
    Job job;
    job.launch = &launch;
    job.count = launch.grid.count();
    if (config().schedule == Schedule::Shuffled) {
        job.order.resize(job.count);
        for (u64 k = 0; k < job.count; k++) {
            job.order[k] = (u32)k;
        }
        std::shuffle(job.order.begin(), job.order.end(), std::minstd_rand((u32)config().seed + 1));
    }
    const u32 helpers = (u32)std::min<u64>(config().threads - 1, job.count - 1);
    Pool::get().run(job, helpers);

    KernelCounters sum;
    Traffic* traffic = nullptr;
    for (Worker* worker : Pool::get().participants()) {
        sum.add(worker->counters);
        count_instructions(*launch.kernel, *worker, sum);
        if (traffic == nullptr) {
            traffic = &worker->traffic;
        } else {
            traffic->loads.absorb(worker->traffic.loads);
            traffic->stores.absorb(worker->traffic.stores);
        }
    }
    sum.launches = 1;
    sum.ctas = job.count;
    sum.threads = job.count * launch.block.count();
    sum.global_load_unique = 32 * traffic->loads.count_and_clear();
    sum.global_store_unique = 32 * traffic->stores.count_and_clear();
    merge_counters(launch.kernel->name, sum);
    if (job.fault) {
        throw *job.fault;
    }
}

}  // namespace ptxsim
