// What the parser makes of a PTX file: declarations and statements, still by name and without any meaning of opcodes.
#pragma once
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "lanes.h"

namespace ptxsim {

/// Thrown by parser and decoder; `what()` names the line of the PTX text.
struct PtxError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

[[noreturn]] void ptx_error(u32 line, const std::string& message);

enum class Type : u8 {
    Pred,
    B8,
    U8,
    S8,
    B16,
    U16,
    S16,
    F16,
    BF16,
    B32,
    U32,
    S32,
    F32,
    F16x2,
    BF16x2,
    TF32,
    B64,
    U64,
    S64,
    F64
};

u32 type_bytes(Type type);
bool is_float(Type type);
bool is_signed(Type type);
/// The type named by a modifier such as "u32"; false if it is none.
bool parse_type(std::string_view text, Type* type);

struct Register {
    std::string_view name;
    Type type;
};

struct Operand {
    enum class Kind : u8 { Register, Special, Integer, Float32, Float64, Symbol, Address, Vector, Pair, Label };
    Kind kind = Kind::Integer;
    bool negated = false;           // !%p
    bool base_is_register = false;  // Address
    u32 reg = 0;                    // Register, or the base of an Address: index into Entry::registers
    u64 bits = 0;                   // Integer, Float32 and Float64: the value's bits
    i64 offset = 0;                 // Address: displacement
    std::string_view text;          // Special, Symbol, Label, or the symbol that is an Address's base
    std::vector<Operand> elements;  // Vector {a,b}, Pair p|q
};

struct SourceLine {
    u32 file = 0, line = 0, column = 0;
};

struct Statement {
    std::string_view root;                    // "ld"
    std::vector<std::string_view> modifiers;  // "global", "nc", "v4", "u32"
    std::string_view opcode;                  // the whole
    std::vector<Operand> operands;
    bool guarded = false, guard_negated = false;
    u32 guard = 0;            // register
    u32 line = 0;             // of the PTX text
    SourceLine source;        // of the .cu file, from .loc
    std::vector<u32> labels;  // labels that stand before this statement
};

/// A .global, .const or .shared variable.
struct Variable {
    enum class Space : u8 { Global, Const, Shared };
    Space space = Space::Global;
    std::string_view name;
    u32 alignment = 1;
    u64 bytes = 0;
    bool dynamic = false;     // .extern .shared name[]
    std::vector<u8> initial;  // empty: zeros
    struct Relocation {
        u64 offset;
        std::string_view symbol;
        i64 addend;
    };
    std::vector<Relocation> relocations;
    u32 line = 0;
};

struct Parameter {
    std::string_view name;
    u32 offset = 0, bytes = 0, alignment = 1;
};

struct Entry {
    std::string_view name;
    std::vector<Parameter> parameters;
    u32 parameter_bytes = 0;
    std::vector<Register> registers;
    std::vector<Variable> shared;
    std::vector<std::string> labels;  // by label number
    std::vector<Statement> statements;
    std::vector<u32> end_labels;  // labels after the last statement
    u32 max_threads = 1024;       // .maxntid, as a product
    bool has_max_threads = false;
    u32 required[3] = {0, 0, 0};  // .reqntid
    u32 line = 0;
};

struct PtxFile {
    std::string text;                // everything above points into it
    u32 version = 0;                 // 70 = 7.0
    u32 target = 0;                  // 80 = sm_80
    std::vector<std::string> files;  // by .file number
    std::vector<Variable> variables;
    std::vector<Entry> entries;
};

/// Parses a whole module. Throws PtxError.
std::unique_ptr<PtxFile> parse_ptx(std::string text);

}  // namespace ptxsim
