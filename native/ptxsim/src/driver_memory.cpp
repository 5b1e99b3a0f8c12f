// Allocation, copies and fills.
#include "config.h"
#include "context.h"

namespace ptxsim {

namespace {

Stream* stream_of(void* handle) {
    // 0, and the two special handles of the legacy and per-thread default streams.
    if ((u64)handle <= 2) {
        return null_stream();
    }
    return owns(streams(), handle) ? static_cast<Stream*>(handle) : nullptr;
}

/// Synchronous calls are forbidden while something captures: they could not be replayed.
Result ready_for_sync() {
    const Result state = ready();
    if (state != Result::Success) {
        return state;
    }
    for (const auto& stream : streams()) {
        if (stream->capture != nullptr && stream->capture->mode != 2) {
            stream->capture->broken = true;
            return Result::StreamCaptureUnsupported;
        }
    }
    return Result::Success;
}

Result complain(const std::string& text) {
    context().report = text;
    context().reports++;
    return Result::InvalidValue;
}

bool device_range(u64 address, size_t bytes) {
    return bytes == 0 || device_memory().resolve(address, bytes) != nullptr;
}

/// A copy between any two places; device addresses are looked up when it runs, for the buffer may be gone by then.
Result copy(u64 to, bool to_device, u64 from, bool from_device, size_t bytes) {
    if (bytes == 0) {
        return Result::Success;
    }
    u8* target = to_device ? device_memory().resolve(to, bytes) : (u8*)to;
    const u8* source = from_device ? device_memory().resolve(from, bytes) : (const u8*)from;
    if (target == nullptr || source == nullptr) {
        context().report =
            "out-of-bounds: a queued copy of " + std::to_string(bytes) + " bytes finds its device buffer gone";
        context().reports++;
        return Result::IllegalAddress;
    }
    std::memmove(target, source, bytes);
    return Result::Success;
}

Result check_ranges(const char* call, u64 to, bool to_device, u64 from, bool from_device, size_t bytes) {
    if (to_device && !device_range(to, bytes)) {
        return complain(std::string(call) + " writes " + std::to_string(bytes) +
                        " bytes: " + device_memory().describe(to));
    }
    if (from_device && !device_range(from, bytes)) {
        return complain(std::string(call) + " reads " + std::to_string(bytes) +
                        " bytes: " + device_memory().describe(from));
    }
    return Result::Success;
}

Result copy_now(const char* call, u64 to, bool to_device, u64 from, bool from_device, size_t bytes) {
    const ApiLock lock;
    Result result = ready_for_sync();
    if (result == Result::Success) {
        result = check_ranges(call, to, to_device, from, from_device, bytes);
    }
    if (result == Result::Success) {
        result = synchronise(null_stream());
    }
    return result == Result::Success ? copy(to, to_device, from, from_device, bytes) : result;
}

Result copy_later(const char* call, u64 to, bool to_device, u64 from, bool from_device, size_t bytes, void* handle) {
    const ApiLock lock;
    Result result = ready();
    Stream* stream = stream_of(handle);
    if (result == Result::Success && stream == nullptr) {
        result = Result::InvalidHandle;
    }
    if (result == Result::Success) {
        result = check_ranges(call, to, to_device, from, from_device, bytes);
    }
    if (result != Result::Success) {
        return result;
    }
    const bool pinned =
        (to_device || device_memory().is_pinned((void*)to)) && (from_device || device_memory().is_pinned((void*)from));
    if (!pinned && !from_device && stream->capture == nullptr) {
        // Pageable host memory is staged before the call returns; its owner may use it again at once.
        auto staged = std::make_shared<std::vector<u8>>((const u8*)from, (const u8*)from + bytes);
        return enqueue(stream, [=] { return copy(to, to_device, (u64)staged->data(), false, bytes); });
    }
    result = enqueue(stream, [=] { return copy(to, to_device, from, from_device, bytes); });
    if (result == Result::Success && !pinned && !to_device && stream->capture == nullptr) {
        // Into pageable memory the call returns only when the bytes are there.
        return synchronise(stream);
    }
    return result;
}

Result fill(u64 to, size_t count, u32 width, u32 value, Stream* stream) {
    if (!device_range(to, count * width)) {
        return complain("cuMemset writes " + std::to_string(count * width) + " bytes: " + device_memory().describe(to));
    }
    return enqueue(stream, [=] {
        u8* bytes = device_memory().resolve(to, count * width);
        if (bytes == nullptr && count > 0) {
            return Result::IllegalAddress;
        }
        for (size_t k = 0; k < count; k++) {
            std::memcpy(bytes + k * width, &value, width);
        }
        return Result::Success;
    });
}

Result fill_on(u64 to, size_t count, u32 width, u32 value, void* handle, bool now) {
    const ApiLock lock;
    Result result = now ? ready_for_sync() : ready();
    Stream* stream = stream_of(handle);
    if (result == Result::Success && (stream == nullptr || to % width != 0)) {
        result = stream == nullptr ? Result::InvalidHandle : Result::InvalidValue;
    }
    return result == Result::Success ? fill(to, count, width, value, stream) : result;
}

Result allocate(u64* address, size_t bytes) {
    if (address == nullptr || bytes == 0) {
        return Result::InvalidValue;
    }
    u64& countdown = config().fail_alloc;
    if (countdown > 0 && --countdown == 0) {
        return Result::OutOfMemory;
    }
    *address = device_memory().allocate(bytes);
    return *address == 0 ? Result::OutOfMemory : Result::Success;
}

}  // namespace

PTXSIM_EXPORT Result cuMemGetInfo_v2(size_t* free, size_t* total) {
    const ApiLock lock;
    *total = device_memory().total();
    *free = *total - std::min<u64>(device_memory().used(), *total);
    return ready();
}

PTXSIM_EXPORT Result cuMemAlloc_v2(u64* address, size_t bytes) {
    const ApiLock lock;
    const Result state = ready_for_sync();
    return state == Result::Success ? allocate(address, bytes) : state;
}

PTXSIM_EXPORT Result cuMemFree_v2(u64 address) {
    const ApiLock lock;
    if (!context().initialised) {
        return Result::NotInitialized;
    }
    if (address == 0) {
        return Result::Success;
    }
    // Work that is queued may still use the buffer; the driver waits for it too.
    synchronise_all();
    return device_memory().release(address) ? context().sticky : Result::InvalidValue;
}

PTXSIM_EXPORT Result cuMemAllocAsync(u64* address, size_t bytes, void* handle) {
    const ApiLock lock;
    const Result state = ready();
    return state != Result::Success       ? state
           : stream_of(handle) == nullptr ? Result::InvalidHandle
                                          : allocate(address, bytes);
}

PTXSIM_EXPORT Result cuMemFreeAsync(u64 address, void* handle) {
    const ApiLock lock;
    const Result state = ready();
    Stream* stream = stream_of(handle);
    if (state != Result::Success || stream == nullptr) {
        return state != Result::Success ? state : Result::InvalidHandle;
    }
    if (!device_range(address, 1)) {
        return Result::InvalidValue;
    }
    return enqueue(stream,
                   [address] { return device_memory().release(address) ? Result::Success : Result::InvalidValue; });
}

PTXSIM_EXPORT Result cuMemAllocHost_v2(void** pointer, size_t bytes) {
    const ApiLock lock;
    const Result state = ready();
    if (state != Result::Success) {
        return state;
    }
    *pointer = device_memory().allocate_host(bytes);
    return *pointer == nullptr ? Result::OutOfMemory : Result::Success;
}

PTXSIM_EXPORT Result cuMemHostAlloc(void** pointer, size_t bytes, unsigned) {
    return cuMemAllocHost_v2(pointer, bytes);
}

PTXSIM_EXPORT Result cuMemHostGetDevicePointer_v2(u64* address, void* pointer, unsigned) {
    const ApiLock lock;
    *address = (u64)pointer;
    return device_memory().is_pinned(pointer) ? Result::Success : Result::InvalidValue;
}

PTXSIM_EXPORT Result cuMemFreeHost(void* pointer) {
    const ApiLock lock;
    synchronise_all();
    return device_memory().release_host(pointer) ? Result::Success : Result::InvalidValue;
}

PTXSIM_EXPORT Result cuMemcpyHtoD_v2(u64 to, const void* from, size_t bytes) {
    return copy_now("cuMemcpyHtoD", to, true, (u64)from, false, bytes);
}

PTXSIM_EXPORT Result cuMemcpyDtoH_v2(void* to, u64 from, size_t bytes) {
    return copy_now("cuMemcpyDtoH", (u64)to, false, from, true, bytes);
}

PTXSIM_EXPORT Result cuMemcpyDtoD_v2(u64 to, u64 from, size_t bytes) {
    return copy_now("cuMemcpyDtoD", to, true, from, true, bytes);
}

PTXSIM_EXPORT Result cuMemcpyHtoDAsync_v2(u64 to, const void* from, size_t bytes, void* stream) {
    return copy_later("cuMemcpyHtoDAsync", to, true, (u64)from, false, bytes, stream);
}

PTXSIM_EXPORT Result cuMemcpyDtoHAsync_v2(void* to, u64 from, size_t bytes, void* stream) {
    return copy_later("cuMemcpyDtoHAsync", (u64)to, false, from, true, bytes, stream);
}

PTXSIM_EXPORT Result cuMemcpyDtoDAsync_v2(u64 to, u64 from, size_t bytes, void* stream) {
    return copy_later("cuMemcpyDtoDAsync", to, true, from, true, bytes, stream);
}

PTXSIM_EXPORT Result cuMemsetD8_v2(u64 to, u8 value, size_t count) {
    return fill_on(to, count, 1, value, nullptr, true);
}
PTXSIM_EXPORT Result cuMemsetD32_v2(u64 to, u32 value, size_t count) {
    return fill_on(to, count, 4, value, nullptr, true);
}
PTXSIM_EXPORT Result cuMemsetD8Async(u64 to, u8 value, size_t count, void* stream) {
    return fill_on(to, count, 1, value, stream, false);
}
PTXSIM_EXPORT Result cuMemsetD16Async(u64 to, u16 value, size_t count, void* stream) {
    return fill_on(to, count, 2, value, stream, false);
}
PTXSIM_EXPORT Result cuMemsetD32Async(u64 to, u32 value, size_t count, void* stream) {
    return fill_on(to, count, 4, value, stream, false);
}

PTXSIM_EXPORT Result cuCtxSynchronize() {
    const ApiLock lock;
    const Result state = ready_for_sync();
    return state == Result::Success ? synchronise_all() : state;
}

}  // namespace ptxsim
