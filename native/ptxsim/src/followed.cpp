// Which registers of an entry carry origins (fragments.h): those that a load may fill, directly or through moves, and
// that an operand of m16n8k16 or a store to shared memory may read.
#include <algorithm>

#include "ops.h"

namespace ptxsim {

namespace {

bool has(const Statement& statement, std::string_view modifier) {
    return std::find(statement.modifiers.begin(), statement.modifiers.end(), modifier) != statement.modifiers.end();
}

bool is_fragment_product(const Statement& statement) {
    return statement.root == "mma" && has(statement, "m16n8k16") && (has(statement, "bf16") || has(statement, "f16"));
}

template <class F>
void each_register(const Operand& operand, F f) {
    if (operand.kind == Operand::Kind::Register) {
        f(operand.reg);
    }
    for (const Operand& element : operand.elements) {
        each_register(element, f);
    }
}

}  // namespace

std::vector<bool> followed_registers(const Entry& entry) {
    if (std::none_of(entry.statements.begin(), entry.statements.end(), is_fragment_product)) {
        return {};
    }
    std::vector<bool> loaded(entry.registers.size()), read(entry.registers.size());
    std::vector<std::pair<u32, u32>> moves;  // to, from
    for (const Statement& statement : entry.statements) {
        const std::vector<Operand>& operands = statement.operands;
        if (statement.root == "ldmatrix" ||
            (statement.root == "ld" && (has(statement, "global") || has(statement, "shared")))) {
            each_register(operands[0], [&](u32 r) { loaded[r] = true; });
        } else if (is_fragment_product(statement) && operands.size() > 2) {
            each_register(operands[1], [&](u32 r) { read[r] = true; });
            each_register(operands[2], [&](u32 r) { read[r] = true; });
        } else if (statement.root == "st" && has(statement, "shared") && operands.size() > 1) {
            each_register(operands[1], [&](u32 r) { read[r] = true; });
        } else if (statement.root == "mov" && operands.size() == 2 && operands[0].kind == Operand::Kind::Register &&
                   operands[1].kind == Operand::Kind::Register) {
            moves.emplace_back(operands[0].reg, operands[1].reg);
        }
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (const auto [to, from] : moves) {
            changed |= (loaded[from] && !loaded[to]) || (read[to] && !read[from]);
            loaded[to] = loaded[to] || loaded[from];
            read[from] = read[from] || read[to];
        }
    }
    for (size_t r = 0; r < read.size(); r++) {
        const Type type = entry.registers[r].type;
        read[r] = read[r] && loaded[r] && type != Type::Pred && type_bytes(type) == 4;
    }
    return read;
}

const Inst* forget_origin(Warp& w, const Inst* i) {
    if (w.worker->follow) {
        put_origins(w, i->d, splat(kUnknown), splat(kUnknown));
    }
    return i + 1;
}

}  // namespace ptxsim
