// Statements to records: basic blocks, guards and branches here, everything else by the table of families.
#include <algorithm>
#include <atomic>

#include "builder.h"

namespace ptxsim {

void allocate_slots(EntryBuild& build);
std::vector<bool> followed_registers(const Entry& entry);
const Inst* forget_origin(Warp& w, const Inst* i);

namespace {

const std::unordered_map<std::string_view, void (*)(Builder&)>& op_table() {
    static const auto table = [] {
        std::unordered_map<std::string_view, void (*)(Builder&)> all;
        for (const auto family :
             {integer_ops(), bit_ops(), float_ops(), arithmetic_ops(), compare_ops(), convert_ops(), move_ops(),
              memory_ops(), async_ops(), atomic_ops(), matrix_ops(), warp_ops(), barrier_ops()}) {
            for (const OpDecoder& op : family) {
                all.emplace(op.root, op.decode);
            }
        }
        return all;
    }();
    return table;
}

class EntryDecoder {
  public:
    EntryDecoder(const PtxFile& file, const Entry& entry, const SymbolTable& globals, Kernel& kernel)
        : build_{file, entry, globals, kernel, {}, {}, {}, {}, {}, followed_registers(entry)},
          kernel_(kernel),
          entry_(entry) {}

    void decode() {
        kernel_.name = entry_.name;
        kernel_.parameters = entry_.parameters;
        kernel_.parameter_bytes = entry_.parameter_bytes;
        kernel_.max_threads = entry_.max_threads;
        kernel_.has_max_threads = entry_.has_max_threads;
        std::copy(std::begin(entry_.required), std::end(entry_.required), kernel_.required);
        kernel_.files = &build_.file.files;
        build_.values.resize(entry_.registers.size() + 1);
        for (size_t k = 0; k < entry_.registers.size(); k++) {
            Value& value = build_.values[k + 1];
            value.kind = Value::Kind::Register;
            value.predicate = entry_.registers[k].type == Type::Pred;
            value.bytes = type_bytes(entry_.registers[k].type);
        }
        kernel_.follows_origins = !build_.followed.empty();
        lay_out_shared();
        label_pc_.assign(entry_.labels.size(), 0);
        begin_block(0, {});
        for (const Statement& statement : entry_.statements) {
            decode_statement(statement);
        }
        for (const u32 label : entry_.end_labels) {
            label_pc_[label] = (u32)kernel_.code.size();
        }
        begin_block(0, {});
        emit({.run = control::exit}, 0, {}, "exit");
        for (Inst& inst : kernel_.code) {
            if (inst.run == control::branch || inst.run == control::branch_if) {
                inst.imm = label_pc_[inst.imm];
            }
        }
        allocate_slots(build_);
    }

  private:
    /// Only what the entry mentions is laid out: a module's other kernels have arrays of their own.
    void lay_out_shared() {
        std::vector<const Variable*> used;
        std::vector<std::string_view> named;
        for (const Statement& statement : entry_.statements) {
            for (const Operand& operand : statement.operands) {
                if (!operand.text.empty()) {
                    named.push_back(operand.text);
                }
            }
        }
        std::sort(named.begin(), named.end());
        for (const auto* list : {&build_.file.variables, &entry_.shared}) {
            for (const Variable& variable : *list) {
                if (variable.space == Variable::Space::Shared &&
                    std::binary_search(named.begin(), named.end(), variable.name)) {
                    used.push_back(&variable);
                }
            }
        }
        u32 offset = 0;
        const auto align = [&offset](u32 to) { offset = (offset + to - 1) / to * to; };
        for (const Variable* variable : used) {
            if (!variable->dynamic) {
                align(variable->alignment);
                if (variable->bytes > 48 << 10) {
                    ptx_error(variable->line, "shared array " + std::string(variable->name) + " is larger than 48 KiB");
                }
                build_.shared_offsets[std::string(variable->name)] = offset;
                offset += (u32)variable->bytes;
            }
        }
        if (offset > 48 << 10) {
            ptx_error(entry_.line, "kernel " + std::string(entry_.name) + " has " + std::to_string(offset) +
                                       " bytes of static shared memory; 49152 are allowed");
        }
        kernel_.static_shared = offset;
        for (const Variable* variable : used) {
            if (variable->dynamic) {
                align(std::max(variable->alignment, 16u));
            }
        }
        kernel_.dynamic_base = offset;
        for (const Variable* variable : used) {
            if (variable->dynamic) {
                build_.shared_offsets[std::string(variable->name)] = offset;
            }
        }
    }

    void emit(Inst inst, u32 line, SourceLine source, std::string_view opcode) {
        inst.pc = (u32)kernel_.code.size();
        kernel_.code.push_back(inst);
        kernel_.source.push_back(source);
        kernel_.ptx_line.push_back(line);
        kernel_.opcode.emplace_back(opcode);
    }

    void begin_block(u32 line, SourceLine source) {
        kernel_.blocks.push_back({.first = (u32)kernel_.code.size()});
        emit({.run = control::block_head, .imm = (i64)kernel_.blocks.size() - 1}, line, source, "block");
        block_open_ = true;
    }

    void decode_statement(const Statement& statement) {
        if (!statement.labels.empty() || !block_open_) {
            for (const u32 label : statement.labels) {
                label_pc_[label] = (u32)kernel_.code.size();
            }
            begin_block(statement.line, statement.source);
        }
        kernel_.blocks.back().instructions++;
        Builder builder(build_, statement);
        const std::string_view root = statement.root;
        const u32 guard_bits = statement.guard_negated ? 1 : 0;
        const auto guard_value = [&] {
            build_.accesses.push_back({(u32)kernel_.code.size(), statement.guard + 1, false, false});
            if (entry_.registers[statement.guard].type != Type::Pred) {
                builder.error("the guard is not a predicate");
            }
            return statement.guard + 1;
        };
        if (root == "bra") {
            builder.take("uni");
            builder.require_operands(1, 1);
            if (builder.operand(0).kind != Operand::Kind::Label) {
                builder.error("the target must be a label");
            }
            builder.inst.imm = builder.operand(0).reg;
            builder.inst.run = statement.guarded ? control::branch_if : control::branch;
            builder.inst.a = statement.guarded ? guard_value() : 0;
            builder.inst.mods = guard_bits;
            block_open_ = false;
        } else if (root == "ret" || root == "exit") {
            builder.take("uni");
            builder.inst.run = statement.guarded ? control::exit_if : control::exit;
            builder.inst.a = statement.guarded ? guard_value() : 0;
            builder.inst.mods = guard_bits;
            block_open_ = false;
        } else {
            const auto found = op_table().find(root);
            if (found == op_table().end()) {
                builder.error("opcode is not known to the simulator");
            }
            if (statement.guarded) {
                const u32 predicate = guard_value();
                emit({.run = control::guard, .a = predicate, .mods = guard_bits}, statement.line, statement.source,
                     statement.opcode);
            }
            found->second(builder);
        }
        builder.finish();
        emit(builder.inst, statement.line, statement.source, statement.opcode);
        if (!builder.keeps_origins && !statement.operands.empty()) {
            forget_origins(builder, statement);
        }
    }

    /// Results that are computed have no origin.
    void forget_origins(const Builder& builder, const Statement& statement) {
        const auto forget = [&](const Operand& result) {
            if (builder.followed(result)) {
                emit({.run = forget_origin, .d = result.reg + 1}, statement.line, statement.source, statement.opcode);
            }
        };
        forget(statement.operands[0]);
        for (const Operand& element : statement.operands[0].elements) {
            forget(element);
        }
    }

    EntryBuild build_;
    Kernel& kernel_;
    const Entry& entry_;
    std::vector<u32> label_pc_;
    bool block_open_ = false;
};

}  // namespace

std::unique_ptr<Kernel> decode_entry(const PtxFile& file, const Entry& entry, const SymbolTable& globals) {
    static std::atomic<u64> last_id{0};
    auto kernel = std::make_unique<Kernel>();
    kernel->id = ++last_id;
    EntryDecoder(file, entry, globals, *kernel).decode();
    return kernel;
}

std::string Kernel::where(u32 pc) const {
    const SourceLine& at = source[pc];
    if (at.line != 0 && at.file < files->size() && !(*files)[at.file].empty()) {
        const std::string& path = (*files)[at.file];
        return path.substr(path.rfind('/') + 1) + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
    }
    return "PTX line " + std::to_string(ptx_line[pc]);
}

}  // namespace ptxsim
