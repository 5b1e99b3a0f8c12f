// Initialisation, device attributes, the primary context, error names.
#include <cstdio>

#include "config.h"
#include "context.h"

namespace ptxsim {

namespace {

struct ErrorName {
    Result code;
    const char* name;
    const char* text;
};

constexpr ErrorName kErrors[] = {
    {Result::Success, "CUDA_SUCCESS", "no error"},
    {Result::InvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {Result::OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {Result::NotInitialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {Result::Deinitialized, "CUDA_ERROR_DEINITIALIZED", "driver shutting down"},
    {Result::DeviceLost, "CUDA_ERROR_DEVICE_UNAVAILABLE", "device is busy or unavailable"},
    {Result::NoDevice, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {Result::InvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {Result::InvalidImage, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {Result::InvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {Result::NoBinaryForGpu, "CUDA_ERROR_NO_BINARY_FOR_GPU",
     "no kernel image is available for execution on the device"},
    {Result::InvalidPtx, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {Result::UnsupportedPtxVersion, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
     "the provided PTX was compiled with an unsupported toolchain."},
    {Result::InvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {Result::IllegalState, "CUDA_ERROR_ILLEGAL_STATE", "the operation cannot be performed in the present state"},
    {Result::NotFound, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {Result::NotReady, "CUDA_ERROR_NOT_READY", "device not ready"},
    {Result::IllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {Result::LaunchOutOfResources, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {Result::LaunchTimeout, "CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated"},
    {Result::Assert, "CUDA_ERROR_ASSERT", "device-side assert triggered"},
    {Result::IllegalInstruction, "CUDA_ERROR_ILLEGAL_INSTRUCTION", "an illegal instruction was encountered"},
    {Result::MisalignedAddress, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {Result::LaunchFailed, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {Result::NotSupported, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {Result::StreamCaptureUnsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "operation not permitted when stream is capturing"},
    {Result::StreamCaptureInvalidated, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
     "operation failed due to a previous error during capture"},
    {Result::StreamCaptureUnmatched, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED",
     "the capture was not initiated in this stream"},
    {Result::StreamCaptureImplicit, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT",
     "operation would make the legacy stream depend on a capturing blocking stream"},
    {Result::Unknown, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

const ErrorName* find_error(int code) {
    for (const ErrorName& error : kErrors) {
        if ((int)error.code == code) {
            return &error;
        }
    }
    return nullptr;
}

int attribute(int which) {
    const Config& c = config();
    switch (which) {
        case 1:  // MAX_THREADS_PER_BLOCK
        case 2:  // MAX_BLOCK_DIM_X
        case 3:  // MAX_BLOCK_DIM_Y
            return 1024;
        case 4:  // MAX_BLOCK_DIM_Z
            return 64;
        case 5:  // MAX_GRID_DIM_X
            return 0x7FFFFFFF;
        case 6:
        case 7:
            return 65535;
        case 8:  // MAX_SHARED_MEMORY_PER_BLOCK
            return (int)c.shared_per_block;
        case 9:  // TOTAL_CONSTANT_MEMORY
            return 65536;
        case 10:  // WARP_SIZE
            return 32;
        case 12:  // MAX_REGISTERS_PER_BLOCK
        case 82:  // MAX_REGISTERS_PER_MULTIPROCESSOR
            return 65536;
        case 13:  // CLOCK_RATE, kHz
            return 1410000;
        case 16:  // MULTIPROCESSOR_COUNT
            return (int)c.multiprocessors;
        case 31:  // CONCURRENT_KERNELS
        case 41:  // UNIFIED_ADDRESSING
        case 83:  // MANAGED_MEMORY: none here, but asked for rarely
            return which == 83 ? 0 : 1;
        case 36:  // MEMORY_CLOCK_RATE, kHz
            return 1215000;
        case 37:  // GLOBAL_MEMORY_BUS_WIDTH, bits
            return 5120;
        case 38:  // L2_CACHE_SIZE
            return 40 << 20;
        case 39:  // MAX_THREADS_PER_MULTIPROCESSOR
            return 2048;
        case 40:  // ASYNC_ENGINE_COUNT
            return 2;
        case 75:  // COMPUTE_CAPABILITY_MAJOR
            return (int)c.compute_capability / 10;
        case 76:
            return (int)c.compute_capability % 10;
        case 81:  // MAX_SHARED_MEMORY_PER_MULTIPROCESSOR
            return (int)c.shared_per_sm;
        case 97:  // MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
            return (int)c.shared_optin;
        case 106:  // MAX_BLOCKS_PER_MULTIPROCESSOR
            return 32;
        case 111:  // RESERVED_SHARED_MEMORY_PER_BLOCK
            return 1024;
        default:
            return 0;
    }
}

Result known_device(int device) {
    if (!context().initialised) {
        return Result::NotInitialized;
    }
    return device >= 0 && device < (int)config().devices ? Result::Success : Result::InvalidDevice;
}

}  // namespace

PTXSIM_EXPORT Result cuInit(unsigned flags) {
    const ApiLock lock;
    if (flags != 0) {
        return Result::InvalidValue;
    }
    if (config().init_error != 0) {
        return (Result)config().init_error;
    }
    if (config().devices == 0) {
        return Result::NoDevice;
    }
    context().initialised = true;
    return Result::Success;
}

PTXSIM_EXPORT Result cuDriverGetVersion(int* version) {
    if (version == nullptr) {
        return Result::InvalidValue;
    }
    *version = (int)config().driver_version;
    return Result::Success;
}

PTXSIM_EXPORT Result cuDeviceGetCount(int* count) {
    const ApiLock lock;
    if (!context().initialised) {
        return Result::NotInitialized;
    }
    if (count == nullptr) {
        return Result::InvalidValue;
    }
    *count = (int)config().devices;
    return Result::Success;
}

PTXSIM_EXPORT Result cuDeviceGet(int* device, int ordinal) {
    const ApiLock lock;
    const Result known = known_device(ordinal);
    if (known == Result::Success) {
        *device = ordinal;
    }
    return known;
}

PTXSIM_EXPORT Result cuDeviceGetName(char* name, int length, int device) {
    const ApiLock lock;
    const Result known = known_device(device);
    if (known == Result::Success && length > 0) {
        std::snprintf(name, (size_t)length, "%s", config().name.c_str());
    }
    return known;
}

PTXSIM_EXPORT Result cuDeviceGetAttribute(int* value, int which, int device) {
    const ApiLock lock;
    const Result known = known_device(device);
    if (known != Result::Success) {
        return known;
    }
    if (value == nullptr || which <= 0 || which > 256) {
        return Result::InvalidValue;
    }
    *value = attribute(which);
    return Result::Success;
}

PTXSIM_EXPORT Result cuDeviceTotalMem_v2(size_t* bytes, int device) {
    const ApiLock lock;
    const Result known = known_device(device);
    if (known == Result::Success) {
        *bytes = device_memory().total();
    }
    return known;
}

PTXSIM_EXPORT Result cuDeviceGetUuid_v2(void* uuid, int device) {
    const ApiLock lock;
    const Result known = known_device(device);
    if (known == Result::Success) {
        const u8 bytes[16] = {'p', 't', 'x', 's', 'i', 'm', 0, 0, 0, 0, 0, 0, 0, 0, 0, (u8)device};
        std::memcpy(uuid, bytes, sizeof bytes);
    }
    return known;
}

PTXSIM_EXPORT Result cuDeviceGetUuid(void* uuid, int device) {
    return cuDeviceGetUuid_v2(uuid, device);
}

PTXSIM_EXPORT Result cuDevicePrimaryCtxRetain(void** handle, int device) {
    const ApiLock lock;
    const Result known = known_device(device);
    if (known != Result::Success) {
        return known;
    }
    if (handle == nullptr) {
        return Result::InvalidValue;
    }
    context().references++;
    *handle = &context();
    return Result::Success;
}

PTXSIM_EXPORT Result cuDevicePrimaryCtxRelease_v2(int device) {
    const ApiLock lock;
    const Result known = known_device(device);
    if (known != Result::Success) {
        return known;
    }
    if (context().references == 0) {
        return Result::InvalidContext;
    }
    if (--context().references == 0) {
        reset_context();
    }
    return Result::Success;
}

PTXSIM_EXPORT Result cuDevicePrimaryCtxReset_v2(int device) {
    const ApiLock lock;
    const Result known = known_device(device);
    if (known == Result::Success) {
        reset_context();
    }
    return known;
}

PTXSIM_EXPORT Result cuCtxSetCurrent(void* handle) {
    const ApiLock lock;
    if (!context().initialised) {
        return Result::NotInitialized;
    }
    if (handle != nullptr && (handle != &context() || context().references == 0)) {
        return Result::InvalidContext;
    }
    context_is_current() = handle != nullptr;
    return Result::Success;
}

PTXSIM_EXPORT Result cuCtxGetCurrent(void** handle) {
    const ApiLock lock;
    *handle = context_is_current() && context().references > 0 ? &context() : nullptr;
    return context().initialised ? Result::Success : Result::NotInitialized;
}

PTXSIM_EXPORT Result cuCtxGetDevice(int* device) {
    const ApiLock lock;
    *device = 0;
    return ready();
}

PTXSIM_EXPORT Result cuGetErrorName(int code, const char** name) {
    const ErrorName* error = find_error(code);
    *name = error == nullptr ? nullptr : error->name;
    return error == nullptr ? Result::InvalidValue : Result::Success;
}

PTXSIM_EXPORT Result cuGetErrorString(int code, const char** text) {
    const ErrorName* error = find_error(code);
    *text = error == nullptr ? nullptr : error->text;
    return error == nullptr ? Result::InvalidValue : Result::Success;
}

}  // namespace ptxsim
