// Modules, functions and launches.
#include <cstdio>

#include "config.h"
#include "context.h"

namespace ptxsim {

namespace {

constexpr u32 kInfoLog = 3, kInfoLogBytes = 4, kErrorLog = 5, kErrorLogBytes = 6;

/// JIT options: buffers for the logs; sizes come back as the bytes used.
struct Logs {
    char* buffer[2] = {nullptr, nullptr};
    size_t bytes[2] = {0, 0};
    void** used[2] = {nullptr, nullptr};

    Logs(u32 count, const int* options, void** values) {
        for (u32 k = 0; k < count; k++) {
            switch ((u32)options[k]) {
                case kInfoLog:
                    buffer[0] = (char*)values[k];
                    break;
                case kInfoLogBytes:
                    bytes[0] = (u32)(u64)values[k];
                    used[0] = &values[k];
                    break;
                case kErrorLog:
                    buffer[1] = (char*)values[k];
                    break;
                case kErrorLogBytes:
                    bytes[1] = (u32)(u64)values[k];
                    used[1] = &values[k];
                    break;
                default:
                    break;
            }
        }
    }

    void write(u32 which, const std::string& text) {
        size_t length = 0;
        if (buffer[which] != nullptr && bytes[which] > 0) {
            std::snprintf(buffer[which], bytes[which], "%s", text.c_str());
            length = std::min(text.size() + 1, bytes[which]);
        }
        if (used[which] != nullptr) {
            *used[which] = (void*)(u64)length;
        }
    }
};

Function* function_of(void* handle) {
    for (const auto& module : context().modules) {
        for (Function& function : module->functions) {
            if (&function == handle) {
                return &function;
            }
        }
    }
    return nullptr;
}

u32 shared_limit(const Function& function) {
    return function.dynamic_limit;
}

Result check_geometry(const Function& function, const Launch& launch, std::string* why) {
    const Kernel& kernel = *function.kernel;
    const u64 threads = launch.block.count();
    const auto refuse = [&](Result result, const std::string& text) {
        *why = "kernel " + kernel.name + ": " + text + "\n  launch: " + describe_launch(launch);
        return result;
    };
    if (launch.grid.count() == 0 || threads == 0) {
        return refuse(Result::InvalidValue, "a dimension is zero");
    }
    if (launch.grid.x > 0x7FFFFFFFu || launch.grid.y > 65535 || launch.grid.z > 65535) {
        return refuse(Result::InvalidValue, "the grid is larger than (2147483647,65535,65535)");
    }
    if (launch.block.x > 1024 || launch.block.y > 1024 || launch.block.z > 64 || threads > 1024) {
        return refuse(Result::InvalidValue, "the block has " + std::to_string(threads) + " threads; 1024 are allowed");
    }
    if (kernel.has_max_threads && threads > kernel.max_threads) {
        return refuse(Result::InvalidValue, "the block has " + std::to_string(threads) +
                                                " threads; the kernel was compiled for at most " +
                                                std::to_string(kernel.max_threads));
    }
    if (kernel.required[0] != 0 && (launch.block.x != kernel.required[0] || threads != kernel.max_threads)) {
        return refuse(Result::InvalidValue, "the block differs from the kernel's .reqntid");
    }
    if (launch.dynamic_shared > shared_limit(function) ||
        kernel.static_shared + launch.dynamic_shared > config().shared_optin) {
        return refuse(
            Result::InvalidValue,
            std::to_string(launch.dynamic_shared) + " bytes of dynamic shared memory; allowed are " +
                std::to_string(std::min(shared_limit(function), config().shared_optin - kernel.static_shared)) +
                " (cuFuncSetAttribute raises it to the opt-in limit of the device)");
    }
    return Result::Success;
}

Result copy_parameters(const Kernel& kernel, void** arguments, void** extra, std::vector<u8>& block, std::string* why) {
    block.assign(kernel.parameter_bytes, 0);
    if (kernel.parameters.empty()) {
        return Result::Success;
    }
    if (extra != nullptr) {
        const u8* buffer = nullptr;
        size_t bytes = 0;
        for (; *extra != nullptr; extra += 2) {
            if (extra[0] == (void*)1) {
                buffer = (const u8*)extra[1];
            } else if (extra[0] == (void*)2) {
                bytes = *(const size_t*)extra[1];
            }
        }
        if (buffer == nullptr || bytes != block.size()) {
            *why = "kernel " + kernel.name + ": the parameter buffer has " + std::to_string(bytes) +
                   " bytes, the kernel wants " + std::to_string(block.size());
            return Result::InvalidValue;
        }
        std::memcpy(block.data(), buffer, bytes);
        return Result::Success;
    }
    for (size_t k = 0; k < kernel.parameters.size(); k++) {
        if (arguments == nullptr || arguments[k] == nullptr) {
            *why = "kernel " + kernel.name + ": argument " + std::to_string(k) + " of " +
                   std::to_string(kernel.parameters.size()) + " is missing";
            return Result::InvalidValue;
        }
        std::memcpy(block.data() + kernel.parameters[k].offset, arguments[k], kernel.parameters[k].bytes);
    }
    return Result::Success;
}

Result refuse(Result result, const std::string& text) {
    context().report = text;
    context().reports++;
    if (!config().quiet) {
        std::fprintf(stderr, "ptxsim: %s\n", text.c_str());
    }
    return result;
}

}  // namespace

PTXSIM_EXPORT Result cuModuleLoadDataEx(void** handle, const void* image, unsigned count, int* options, void** values) {
    const ApiLock lock;
    const Result state = ready();
    if (state != Result::Success) {
        return state;
    }
    if (handle == nullptr || image == nullptr) {
        return Result::InvalidValue;
    }
    Logs logs(count, options, values);
    std::string text((const char*)image);
    try {
        std::unique_ptr<Module> module = load_module(std::move(text));
        std::string info;
        for (const auto& kernel : module->kernels) {
            info += "ptxsim: " + kernel->name + ": " + std::to_string(kernel->register_count) + " registers, " +
                    std::to_string(kernel->static_shared) + " bytes smem, 0 bytes spill\n";
        }
        logs.write(0, info);
        logs.write(1, "");
        *handle = module.get();
        context().modules.push_back(std::move(module));
        return Result::Success;
    } catch (const PtxError& error) {
        logs.write(0, "");
        logs.write(1, error.what());
        return refuse(Result::InvalidPtx, error.what());
    } catch (const std::bad_alloc&) {
        return refuse(Result::OutOfMemory, "the host's memory does not hold the module");
    }
}

PTXSIM_EXPORT Result cuModuleLoadData(void** handle, const void* image) {
    return cuModuleLoadDataEx(handle, image, 0, nullptr, nullptr);
}

PTXSIM_EXPORT Result cuModuleUnload(void* handle) {
    const ApiLock lock;
    if (!owns(context().modules, handle)) {
        return Result::InvalidHandle;
    }
    // A queued launch still points to its kernel.
    synchronise_all();
    drop(context().modules, handle);
    return context().sticky;
}

PTXSIM_EXPORT Result cuModuleGetFunction(void** function, void* handle, const char* name) {
    const ApiLock lock;
    const Result state = ready();
    if (state != Result::Success) {
        return state;
    }
    if (!owns(context().modules, handle)) {
        return Result::InvalidHandle;
    }
    for (Function& candidate : static_cast<Module*>(handle)->functions) {
        if (candidate.kernel->name == name) {
            *function = &candidate;
            return Result::Success;
        }
    }
    return Result::NotFound;
}

PTXSIM_EXPORT Result cuModuleGetGlobal_v2(u64* address, size_t* bytes, void* handle, const char* name) {
    const ApiLock lock;
    if (!owns(context().modules, handle)) {
        return Result::InvalidHandle;
    }
    for (const Module::Global& global : static_cast<Module*>(handle)->globals) {
        if (global.name == name) {
            if (address != nullptr) {
                *address = global.address;
            }
            if (bytes != nullptr) {
                *bytes = global.bytes;
            }
            return Result::Success;
        }
    }
    return Result::NotFound;
}

PTXSIM_EXPORT Result cuFuncSetAttribute(void* handle, int which, int value) {
    const ApiLock lock;
    Function* function = function_of(handle);
    if (function == nullptr) {
        return Result::InvalidHandle;
    }
    if (which == 8) {
        if (value < 0 || (u32)value + function->kernel->static_shared > config().shared_optin) {
            return Result::InvalidValue;
        }
        function->dynamic_limit = (u32)value;
        return Result::Success;
    }
    return which == 9 ? Result::Success : Result::InvalidValue;
}

PTXSIM_EXPORT Result cuFuncGetAttribute(int* value, int which, void* handle) {
    const ApiLock lock;
    const Function* function = function_of(handle);
    if (function == nullptr) {
        return Result::InvalidHandle;
    }
    const Kernel& kernel = *function->kernel;
    switch (which) {
        case 0:  // MAX_THREADS_PER_BLOCK
            *value = (int)(kernel.has_max_threads ? kernel.max_threads : 1024);
            return Result::Success;
        case 1:  // SHARED_SIZE_BYTES
            *value = (int)kernel.static_shared;
            return Result::Success;
        case 2:  // CONST_SIZE_BYTES
        case 3:  // LOCAL_SIZE_BYTES
            *value = 0;
            return Result::Success;
        case 4:  // NUM_REGS
            *value = (int)kernel.register_count;
            return Result::Success;
        case 5:  // PTX_VERSION
        case 6:  // BINARY_VERSION
            *value = (int)config().compute_capability;
            return Result::Success;
        case 8:  // MAX_DYNAMIC_SHARED_SIZE_BYTES
            *value = (int)function->dynamic_limit;
            return Result::Success;
        default:
            return Result::InvalidValue;
    }
}

PTXSIM_EXPORT Result cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void* handle, int block_size,
                                                                 size_t dynamic_shared) {
    const ApiLock lock;
    const Function* function = function_of(handle);
    if (function == nullptr || block_size <= 0 || block_size > 1024) {
        return function == nullptr ? Result::InvalidHandle : Result::InvalidValue;
    }
    const u32 warps = ((u32)block_size + kLanes - 1) / kLanes;
    // Registers are what slot allocation needs, which is near what a compiler would take.
    const u32 registers =
        std::min(255u, (std::max(function->kernel->register_count, 16u) + 7) / 8 * 8) * kLanes * warps;
    const u64 shared = function->kernel->static_shared + dynamic_shared + 1024;
    u64 most = std::min<u64>(32, 64 / warps);
    most = std::min<u64>(most, 65536 / registers);
    most = std::min<u64>(most, config().shared_per_sm / shared);
    *blocks = (int)most;
    return Result::Success;
}

PTXSIM_EXPORT Result cuLaunchKernel(void* handle, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                                    unsigned block_y, unsigned block_z, unsigned shared_bytes, void* stream_handle,
                                    void** arguments, void** extra) {
    const ApiLock lock;
    const Result state = ready();
    if (state != Result::Success) {
        return state;
    }
    const Function* function = function_of(handle);
    Stream* stream = (u64)stream_handle <= 2 ? null_stream() : static_cast<Stream*>(stream_handle);
    if (function == nullptr || !owns(streams(), stream)) {
        return Result::InvalidHandle;
    }
    Launch launch;
    launch.kernel = function->kernel;
    launch.grid = {grid_x, grid_y, grid_z};
    launch.block = {block_x, block_y, block_z};
    launch.dynamic_shared = shared_bytes;
    std::string why;
    Result result = check_geometry(*function, launch, &why);
    if (result == Result::Success) {
        result = copy_parameters(*function->kernel, arguments, extra, launch.parameters, &why);
    }
    if (result != Result::Success) {
        return refuse(result, why);
    }
    return enqueue(stream, [launch = std::move(launch)] { return run_and_report(launch); });
}

}  // namespace ptxsim
