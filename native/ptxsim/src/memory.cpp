#include "memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "config.h"

namespace ptxsim {

namespace {

constexpr u64 kAlignment = 256;

u64 page_bytes() {
    static const u64 bytes = (u64)sysconf(_SC_PAGESIZE);
    return bytes;
}

u64 round_up(u64 value, u64 to) {
    return (value + to - 1) / to * to;
}

void fill_fresh(u8* memory, u64 bytes) {
    // Filling commits the pages; arenas of many gigabytes stay lazy zeros instead.
    if (bytes <= config().fill_limit) {
        std::memset(memory, 0xFF, bytes);
    }
}

std::string hex(u64 value) {
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", (unsigned long long)value);
    return text;
}

}  // namespace

DeviceMemory& device_memory() {
    static DeviceMemory memory;
    return memory;
}

u64 DeviceMemory::total() const {
    return config().device_memory;
}

void DeviceMemory::reserve() {
    // Two ranges of one size: the device's addresses, never accessible, and the bytes themselves.
    for (u64 bytes = 1ull << 39; range_ == 0 && bytes >= 1ull << 32; bytes /= 2) {
        void* range = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (range == MAP_FAILED) {
            continue;
        }
        void* alias = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (alias == MAP_FAILED) {
            munmap(range, bytes);
            continue;
        }
        range_ = (u64)range;
        range_bytes_ = bytes;
        alias_ = (u8*)alias;
        next_ = 0;
    }
}

u64 DeviceMemory::allocate(u64 bytes) {
    if (range_ == 0) {
        reserve();
    }
    const u64 padded = round_up(bytes, kAlignment);
    const u64 pages = round_up(padded, page_bytes());
    const u64 window = pages + page_bytes();
    if (range_ == 0 || bytes == 0 || padded > total() - std::min(used_, total())) {
        return 0;
    }
    // Addresses are not used again before the range is used up, so that a stale pointer is found out.
    u64 start = next_;
    if (start + window > range_bytes_) {
        auto place = freed_.begin();
        while (place != freed_.end() && place->second < window) {
            ++place;
        }
        if (place == freed_.end()) {
            return 0;
        }
        start = place->first;
        const u64 rest = place->second - window;
        freed_.erase(place);
        if (rest > 0) {
            freed_[start + window] = rest;
        }
    } else {
        next_ += window;
    }
    u8* memory = alias_ + start;
    if (mprotect(memory, pages, PROT_READ | PROT_WRITE) != 0) {
        freed_[start] = window;
        return 0;
    }
    // The end of the buffer, rounded to the device's alignment, meets the guard page.
    const u64 shift = pages - padded;
    Buffer buffer{range_ + start + shift, bytes, memory + shift, false};
    fill_fresh(buffer.host, padded);
    buffers_[buffer.base] = buffer;
    used_ += padded;
    live_++;
    return buffer.base;
}

bool DeviceMemory::release(u64 address) {
    const auto found = buffers_.find(address);
    if (found == buffers_.end() || found->second.pinned) {
        return false;
    }
    const u64 padded = round_up(found->second.bytes, kAlignment);
    const u64 pages = round_up(padded, page_bytes());
    const u64 start = address - range_ - (pages - padded);
    mmap(alias_ + start, pages, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    freed_[start] = pages + page_bytes();
    used_ -= padded;
    live_--;
    buffers_.erase(found);
    return true;
}

u8* DeviceMemory::allocate_host(u64 bytes) {
    const u64 pages = round_up(bytes, page_bytes());
    void* memory = mmap(nullptr, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == 0 || memory == MAP_FAILED) {
        return nullptr;
    }
    fill_fresh((u8*)memory, bytes);
    buffers_[(u64)memory] = {(u64)memory, bytes, (u8*)memory, true};
    return (u8*)memory;
}

bool DeviceMemory::release_host(void* pointer) {
    const auto found = buffers_.find((u64)pointer);
    if (found == buffers_.end() || !found->second.pinned) {
        return false;
    }
    munmap(pointer, round_up(found->second.bytes, page_bytes()));
    buffers_.erase(found);
    return true;
}

bool DeviceMemory::is_pinned(const void* pointer) const {
    const Buffer* buffer = find((u64)pointer);
    return buffer != nullptr && buffer->pinned;
}

void DeviceMemory::clear() {
    while (!buffers_.empty()) {
        const Buffer buffer = buffers_.begin()->second;
        buffer.pinned ? release_host(buffer.host) : release(buffer.base);
    }
}

const Buffer* DeviceMemory::find(u64 address) const {
    auto place = buffers_.upper_bound(address);
    if (place == buffers_.begin()) {
        return nullptr;
    }
    --place;
    return address - place->second.base < place->second.bytes ? &place->second : nullptr;
}

u8* DeviceMemory::resolve(u64 address, u64 bytes) const {
    const Buffer* buffer = find(address);
    if (buffer == nullptr || bytes > buffer->bytes - (address - buffer->base)) {
        return nullptr;
    }
    return buffer->host + (address - buffer->base);
}

std::string DeviceMemory::describe(u64 address) const {
    if (const Buffer* buffer = find(address)) {
        return "byte " + std::to_string(address - buffer->base) + " of the buffer at " + hex(buffer->base) + " (" +
               std::to_string(buffer->bytes) + " bytes)";
    }
    auto above = buffers_.upper_bound(address);
    std::string text = "address " + hex(address) + " lies in no buffer";
    u64 distance = ~0ull;
    if (above != buffers_.end()) {
        distance = above->second.base - address;
    }
    if (above != buffers_.begin()) {
        const Buffer& below = std::prev(above)->second;
        const u64 past = address - (below.base + below.bytes);
        if (past <= distance && past < 1ull << 30) {
            return text + ", " + std::to_string(past) + " bytes past the end of the buffer at " + hex(below.base) +
                   " (" + std::to_string(below.bytes) + " bytes)";
        }
    }
    if (distance < 1ull << 30) {
        return text + ", " + std::to_string(distance) + " bytes before the buffer at " + hex(above->second.base) +
               " (" + std::to_string(above->second.bytes) + " bytes)";
    }
    return text;
}

u8* DeviceView::resolve_slowly(u64 address, u32 bytes) {
    const Buffer* buffer = device_memory().find(address);
    if (buffer == nullptr || bytes > buffer->bytes - (address - buffer->base)) {
        return nullptr;
    }
    hot = *buffer;
    return hot.host + (address - hot.base);
}

}  // namespace ptxsim
