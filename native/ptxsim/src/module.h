// A loaded module: parsed text, decoded kernels, device memory of its variables.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "program.h"

namespace ptxsim {

struct Function {
    Kernel* kernel = nullptr;
    u32 dynamic_limit = 48 << 10;  // cuFuncSetAttribute(8, n)
};

struct Module {
    std::unique_ptr<PtxFile> file;
    std::vector<std::unique_ptr<Kernel>> kernels;
    std::vector<Function> functions;
    struct Global {
        std::string name;
        u64 address, bytes;
    };
    std::vector<Global> globals;

    ~Module();
};

/// Throws PtxError; also when the module's target is newer than the device.
std::unique_ptr<Module> load_module(std::string text);

}  // namespace ptxsim
