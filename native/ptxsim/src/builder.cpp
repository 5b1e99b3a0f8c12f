#include "builder.h"

#include <algorithm>

namespace ptxsim {

Builder::Builder(EntryBuild& build, const Statement& statement)
    : statement(statement), build_(build), consumed_(statement.modifiers.size()) {}

Block& Builder::counts() {
    return build_.kernel.blocks.back();
}

bool Builder::take(std::string_view modifier) {
    for (size_t k = 0; k < consumed_.size(); k++) {
        if (!consumed_[k] && statement.modifiers[k] == modifier) {
            consumed_[k] = true;
            return true;
        }
    }
    return false;
}

bool Builder::try_type(Type* type) {
    for (size_t k = 0; k < consumed_.size(); k++) {
        if (!consumed_[k] && parse_type(statement.modifiers[k], type)) {
            consumed_[k] = true;
            return true;
        }
    }
    return false;
}

Type Builder::take_type() {
    Type type;
    if (!try_type(&type)) {
        error("the opcode names no type");
    }
    if (type == Type::Pred) {
        // A predicate's slot holds one word; only handlers that know that may see it.
        bool known = false;
        for (const std::string_view root : {"mov", "and", "or", "xor", "not", "selp", "vote"}) {
            known |= statement.root == root;
        }
        if (!known) {
            error("predicates are not operands of this opcode");
        }
    }
    return type;
}

std::string_view Builder::take_next() {
    for (size_t k = 0; k < consumed_.size(); k++) {
        if (!consumed_[k]) {
            consumed_[k] = true;
            return statement.modifiers[k];
        }
    }
    error("the opcode is too short");
}

void Builder::finish() const {
    for (size_t k = 0; k < consumed_.size(); k++) {
        if (!consumed_[k]) {
            error("modifier ." + std::string(statement.modifiers[k]) + " is not supported here");
        }
    }
    if (inst.run == nullptr) {
        error("this form is not supported");
    }
}

void Builder::error(const std::string& message) const {
    ptx_error(statement.line, std::string(statement.opcode) + ": " + message);
}

void Builder::require_operands(size_t least, size_t most) const {
    if (operands() < least || operands() > most) {
        error("has " + std::to_string(operands()) + " operands");
    }
}

const Operand& Builder::operand(size_t n) const {
    if (n >= statement.operands.size()) {
        error("operand " + std::to_string(n + 1) + " is missing");
    }
    return statement.operands[n];
}

u32 Builder::read(u32 value) {
    build_.accesses.push_back({(u32)build_.kernel.code.size(), value, false, false});
    return value;
}

u32 Builder::written(u32 value) {
    build_.accesses.push_back({(u32)build_.kernel.code.size(), value, true, statement.guarded});
    return value;
}

u32 Builder::constant(u64 bits, Type type) {
    const bool predicate = type == Type::Pred;
    const u32 bytes = type_bytes(type);
    if (predicate) {
        bits = bits != 0;
    } else if (bytes < 8) {
        bits &= (1ull << (8 * bytes)) - 1;
    }
    auto& known = build_.constants[predicate ? 4 : std::countr_zero(bytes)];
    const auto [place, fresh] = known.try_emplace(bits, (u32)build_.values.size());
    if (fresh) {
        build_.values.push_back({Value::Kind::Constant, predicate, bytes, bits});
    }
    return place->second;
}

u64 Builder::integer(size_t n) const {
    if (operand(n).kind != Operand::Kind::Integer) {
        error("operand " + std::to_string(n + 1) + " must be a constant integer");
    }
    return operand(n).bits;
}

namespace {

struct SpecialName {
    std::string_view name;
    Special what;
    Type type;
};

constexpr SpecialName kSpecials[] = {
    {"%tid.x", Special::TidX, Type::U32},
    {"%tid.y", Special::TidY, Type::U32},
    {"%tid.z", Special::TidZ, Type::U32},
    {"%ntid.x", Special::NtidX, Type::U32},
    {"%ntid.y", Special::NtidY, Type::U32},
    {"%ntid.z", Special::NtidZ, Type::U32},
    {"%ctaid.x", Special::CtaidX, Type::U32},
    {"%ctaid.y", Special::CtaidY, Type::U32},
    {"%ctaid.z", Special::CtaidZ, Type::U32},
    {"%nctaid.x", Special::NctaidX, Type::U32},
    {"%nctaid.y", Special::NctaidY, Type::U32},
    {"%nctaid.z", Special::NctaidZ, Type::U32},
    {"%laneid", Special::LaneId, Type::U32},
    {"%warpid", Special::WarpId, Type::U32},
    {"%nwarpid", Special::Nwarpid, Type::U32},
    {"%smid", Special::SmId, Type::U32},
    {"%nsmid", Special::Nsmid, Type::U32},
    {"%gridid", Special::GridId, Type::U64},
    {"%lanemask_eq", Special::LaneMaskEq, Type::U32},
    {"%lanemask_lt", Special::LaneMaskLt, Type::U32},
    {"%lanemask_le", Special::LaneMaskLe, Type::U32},
    {"%lanemask_gt", Special::LaneMaskGt, Type::U32},
    {"%lanemask_ge", Special::LaneMaskGe, Type::U32},
    {"%clock", Special::Clock, Type::U32},
    {"%clock64", Special::Clock64, Type::U64},
    {"%globaltimer", Special::GlobalTimer, Type::U64},
    {"%dynamic_smem_size", Special::DynamicSmemSize, Type::U32},
    {"%total_smem_size", Special::TotalSmemSize, Type::U32},
};

}  // namespace

u32 Builder::source_any(const Operand& operand, Type type, u32* bytes) {
    switch (operand.kind) {
        case Operand::Kind::Register: {
            const Register& reg = build_.entry.registers[operand.reg];
            *bytes = type_bytes(reg.type);
            if ((reg.type == Type::Pred) != (type == Type::Pred)) {
                error("register " + std::string(reg.name) + " has the wrong kind");
            }
            return read(operand.reg + 1);
        }
        case Operand::Kind::Integer:
            *bytes = type_bytes(type);
            return constant(operand.bits, type);
        case Operand::Kind::Float32:
            *bytes = type_bytes(type);
            return constant(
                type == Type::F64 ? std::bit_cast<u64>((double)std::bit_cast<float>((u32)operand.bits)) : operand.bits,
                type);
        case Operand::Kind::Float64:
            *bytes = type_bytes(type);
            return constant(
                type == Type::F32 ? std::bit_cast<u32>((float)std::bit_cast<double>(operand.bits)) : operand.bits,
                type);
        case Operand::Kind::Special:
            for (const SpecialName& special : kSpecials) {
                if (special.name == operand.text) {
                    *bytes = type_bytes(special.type);
                    const auto [place, fresh] =
                        build_.specials.try_emplace((u32)special.what, (u32)build_.values.size());
                    if (fresh) {
                        Value value;
                        value.kind = Value::Kind::Special;
                        value.bytes = *bytes;
                        value.special = special.what;
                        build_.values.push_back(value);
                    }
                    return place->second;
                }
            }
            error("special register " + std::string(operand.text) + " is not supported");
        case Operand::Kind::Symbol: {
            *bytes = type_bytes(type);
            const auto shared = build_.shared_offsets.find(operand.text);
            if (shared != build_.shared_offsets.end()) {
                return constant(shared->second + (u64)operand.offset, type);
            }
            const auto global = build_.globals.find(operand.text);
            if (global != build_.globals.end()) {
                return constant(global->second + (u64)operand.offset, type);
            }
            if (const Parameter* parameter = this->parameter(operand.text)) {
                return constant(parameter->offset + (u64)operand.offset, type);
            }
            error("symbol " + std::string(operand.text) + " is not known");
        }
        default:
            error("an operand has the wrong form");
    }
}

u32 Builder::source_of(const Operand& operand, Type type) {
    u32 bytes;
    const u32 value = source_any(operand, type, &bytes);
    if (bytes != type_bytes(type)) {
        error("operand " + std::string(operand.text) + " has " + std::to_string(8 * bytes) + " bits, not " +
              std::to_string(8 * type_bytes(type)));
    }
    return value;
}

u32 Builder::target_any(const Operand& operand, u32* bytes) {
    if (operand.kind == Operand::Kind::Special && operand.text == "%_") {
        error("a discarded result is not supported");
    }
    if (operand.kind != Operand::Kind::Register) {
        error("the result must be a register");
    }
    const Register& reg = build_.entry.registers[operand.reg];
    *bytes = type_bytes(reg.type);
    return written(operand.reg + 1);
}

u32 Builder::target_of(const Operand& operand, Type type) {
    u32 bytes;
    const u32 value = target_any(operand, &bytes);
    const Type have = build_.entry.registers[operand.reg].type;
    if ((have == Type::Pred) != (type == Type::Pred) || bytes != type_bytes(type)) {
        error("result register " + std::string(operand.text) + " has " + std::to_string(8 * bytes) + " bits, not " +
              std::to_string(8 * type_bytes(type)));
    }
    return value;
}

const Parameter* Builder::parameter(std::string_view name) const {
    for (const Parameter& parameter : build_.entry.parameters) {
        if (parameter.name == name) {
            return &parameter;
        }
    }
    return nullptr;
}

u32 Builder::address_of(const Operand& operand, std::string_view space, i64* offset, bool* wide) {
    if (operand.kind != Operand::Kind::Address) {
        error("expected an address in brackets");
    }
    *offset = operand.offset;
    *wide = true;
    if (operand.base_is_register) {
        const u32 bytes = type_bytes(build_.entry.registers[operand.reg].type);
        if (bytes != 8 && (bytes != 4 || space == "global")) {
            error("an address register must have 64 bits");
        }
        *wide = bytes == 8;
        return read(operand.reg + 1);
    }
    u64 base = 0;
    if (!operand.text.empty()) {
        const auto shared = build_.shared_offsets.find(operand.text);
        const auto global = build_.globals.find(operand.text);
        const Parameter* param = parameter(operand.text);
        if (space == "shared" && shared != build_.shared_offsets.end()) {
            base = shared->second;
        } else if ((space == "global" || space == "const") && global != build_.globals.end()) {
            base = global->second;
        } else if (space == "param" && param != nullptr) {
            base = param->offset;
        } else {
            error("symbol " + std::string(operand.text) + " is not in ." + std::string(space) + " memory");
        }
    }
    return constant(base, Type::U64);
}

void Builder::address(size_t n, std::string_view space) {
    bool wide;
    inst.a = address_of(operand(n), space, &inst.imm, &wide);
    inst.mods |= wide ? 0 : kAddress32;
}

u32* Builder::list() {
    build_.kernel.lists.emplace_back();
    inst.list = build_.kernel.lists.back().data();
    return build_.kernel.lists.back().data();
}

bool Builder::followed(const Operand& operand) const {
    return operand.kind == Operand::Kind::Register && !build_.followed.empty() && build_.followed[operand.reg];
}

bool Builder::all_followed(const Operand& operand) const {
    return std::all_of(operand.elements.begin(), operand.elements.end(),
                       [this](const Operand& e) { return followed(e); });
}

bool Builder::any_followed(const Operand& operand) const {
    return followed(operand) || std::any_of(operand.elements.begin(), operand.elements.end(),
                                            [this](const Operand& e) { return followed(e); });
}

void Builder::shared_access(u32 bytes) {
    build_.kernel.shared_granule = std::min(build_.kernel.shared_granule, bytes);
}

}  // namespace ptxsim
