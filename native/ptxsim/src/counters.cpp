#include "counters.h"

#include <bit>
#include <mutex>

namespace ptxsim {

namespace {

struct Field {
    const char* name;
    u64 KernelCounters::*value;
};

constexpr Field kFields[] = {
    {"launches", &KernelCounters::launches},
    {"ctas", &KernelCounters::ctas},
    {"threads", &KernelCounters::threads},
    {"warp_instructions", &KernelCounters::warp_instructions},
    {"lane_instructions", &KernelCounters::lane_instructions},
    {"flops", &KernelCounters::flops},
    {"mma", &KernelCounters::mma},
    {"mma_flops", &KernelCounters::mma_flops},
    {"ldmatrix", &KernelCounters::ldmatrix},
    {"barriers", &KernelCounters::barriers},
    {"global_load_requests", &KernelCounters::global_load_requests},
    {"global_store_requests", &KernelCounters::global_store_requests},
    {"global_load_bytes", &KernelCounters::global_load_bytes},
    {"global_store_bytes", &KernelCounters::global_store_bytes},
    {"global_load_sectors", &KernelCounters::global_load_sectors},
    {"global_store_sectors", &KernelCounters::global_store_sectors},
    {"global_load_unique_bytes", &KernelCounters::global_load_unique},
    {"global_store_unique_bytes", &KernelCounters::global_store_unique},
    {"atomics", &KernelCounters::atomics},
    {"shared_load_requests", &KernelCounters::shared_load_requests},
    {"shared_store_requests", &KernelCounters::shared_store_requests},
    {"shared_load_conflicts", &KernelCounters::shared_load_conflicts},
    {"shared_store_conflicts", &KernelCounters::shared_store_conflicts},
    {"ldmatrix_conflicts", &KernelCounters::ldmatrix_conflicts},
};

std::mutex g_mutex;
std::map<std::string, KernelCounters> g_kernels;

std::string object(const KernelCounters& counters) {
    std::string text = "{";
    for (const Field& field : kFields) {
        text +=
            (text.size() > 1 ? ",\"" : "\"") + std::string(field.name) + "\":" + std::to_string(counters.*field.value);
    }
    return text + "}";
}

}  // namespace

void KernelCounters::add(const KernelCounters& other) {
    for (const Field& field : kFields) {
        this->*field.value += other.*field.value;
    }
}

u64* SectorMap::find_page(u64 number) {
    std::unique_ptr<Page>& page = pages_[number];
    if (page == nullptr) {
        page = std::make_unique<Page>();
        page->fill(0);
    }
    last_number_ = number;
    last_ = page.get();
    return page->data();
}

void SectorMap::absorb(SectorMap& other) {
    for (auto& [number, page] : other.pages_) {
        u64* mine = find_page(number);
        for (size_t k = 0; k < page->size(); k++) {
            mine[k] |= (*page)[k];
        }
    }
    other.count_and_clear();
}

u64 SectorMap::count_and_clear() {
    u64 sectors = 0;
    for (const auto& [number, page] : pages_) {
        for (const u64 word : *page) {
            sectors += (u64)std::popcount(word);
        }
    }
    pages_.clear();
    last_number_ = ~0ull;
    last_ = nullptr;
    return sectors;
}

void merge_counters(const std::string& kernel, const KernelCounters& counters) {
    const std::lock_guard lock(g_mutex);
    g_kernels[kernel].add(counters);
}

void clear_counters() {
    const std::lock_guard lock(g_mutex);
    g_kernels.clear();
}

std::string counters_json() {
    const std::lock_guard lock(g_mutex);
    KernelCounters total;
    std::string text = "{\"kernels\":{";
    bool first = true;
    for (const auto& [name, counters] : g_kernels) {
        text += (first ? "\"" : ",\"") + name + "\":" + object(counters);
        total.add(counters);
        first = false;
    }
    return text + "},\"total\":" + object(total) + "}";
}

}  // namespace ptxsim
