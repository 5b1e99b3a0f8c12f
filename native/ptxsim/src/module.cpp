#include "module.h"

#include "config.h"
#include "memory.h"

namespace ptxsim {

Module::~Module() {
    for (const Global& global : globals) {
        device_memory().release(global.address);
    }
}

namespace {

void place_variables(Module& module, SymbolTable& symbols) {
    for (const Variable& variable : module.file->variables) {
        if (variable.space == Variable::Space::Shared) {
            continue;
        }
        const u64 bytes = std::max<u64>(variable.bytes, 1);
        const u64 address = device_memory().allocate(bytes);
        if (address == 0) {
            ptx_error(variable.line, "no device memory is left for variable " + std::string(variable.name));
        }
        u8* host = device_memory().resolve(address, bytes);
        std::memset(host, 0, bytes);
        std::memcpy(host, variable.initial.data(), variable.initial.size());
        module.globals.push_back({std::string(variable.name), address, bytes});
        symbols[std::string(variable.name)] = address;
    }
    for (const Variable& variable : module.file->variables) {
        for (const Variable::Relocation& relocation : variable.relocations) {
            const auto target = symbols.find(relocation.symbol);
            if (target == symbols.end()) {
                ptx_error(variable.line, "symbol " + std::string(relocation.symbol) + " is not known");
            }
            const u64 value = target->second + (u64)relocation.addend;
            std::memcpy(device_memory().resolve(symbols.find(variable.name)->second + relocation.offset, 8), &value, 8);
        }
    }
}

}  // namespace

std::unique_ptr<Module> load_module(std::string text) {
    auto module = std::make_unique<Module>();
    module->file = parse_ptx(std::move(text));
    if (module->file->target > config().compute_capability) {
        ptx_error(1, "the module is for sm_" + std::to_string(module->file->target) + ", the device is sm_" +
                         std::to_string(config().compute_capability));
    }
    SymbolTable symbols;
    place_variables(*module, symbols);
    for (const Entry& entry : module->file->entries) {
        module->kernels.push_back(decode_entry(*module->file, entry, symbols));
        module->functions.push_back({module->kernels.back().get()});
    }
    // Names point into the text until here only; statements are not needed any more.
    for (Entry& entry : module->file->entries) {
        entry.statements.clear();
    }
    return module;
}

}  // namespace ptxsim
