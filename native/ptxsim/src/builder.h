// What the decoders of the instruction families see of a statement, and where they put the record.
#pragma once
#include <span>
#include <unordered_map>

#include "program.h"

namespace ptxsim {

/// An operand's place in the frame. Registers come first, in the order of Entry::registers; number 0 is nobody's.
struct Value {
    enum class Kind : u8 { None, Register, Constant, Special };
    Kind kind = Kind::None;
    bool predicate = false;
    u32 bytes = 0;  // of one lane
    u64 bits = 0;   // Constant
    Special special = Special::TidX;
    u32 offset = 0;
};

/// Things that hold for the whole entry while it is decoded.
struct EntryBuild {
    const PtxFile& file;
    const Entry& entry;
    const SymbolTable& globals;
    Kernel& kernel;
    std::vector<Value> values;
    struct Access {
        u32 pc, value;
        bool writes, partial;
    };
    std::vector<Access> accesses;  // in program order
    std::map<std::string, u32, std::less<>> shared_offsets;
    std::unordered_map<u64, u32> constants[5];  // by log2 of the size; the last one holds predicates
    std::unordered_map<u32, u32> specials;
    std::vector<bool> followed;  // by register: its origin matters; empty where none does
};

class Builder {
  public:
    Builder(EntryBuild& build, const Statement& statement);

    const Statement& statement;
    Inst inst;
    Block& counts();

    /// Consumes the modifier if the opcode has it; finish() complains about what nobody consumed.
    bool take(std::string_view modifier);
    /// Consumes the first type among the modifiers left.
    Type take_type();
    bool try_type(Type* type);
    /// The first modifier left, consumed.
    std::string_view take_next();
    void finish() const;

    [[noreturn]] void error(const std::string& message) const;
    void require_operands(size_t least, size_t most) const;
    const Operand& operand(size_t n) const;
    size_t operands() const { return statement.operands.size(); }

    /// Frame slots (still as value numbers) of an operand that is read or written as this type; sizes must match.
    u32 source(size_t n, Type type) { return source_of(operand(n), type); }
    u32 target(size_t n, Type type) { return target_of(operand(n), type); }
    u32 source_of(const Operand& operand, Type type);
    u32 target_of(const Operand& operand, Type type);
    /// As target_of, for ld and cvt: the register may be wider than the type; *bytes receives its size.
    u32 target_any(const Operand& operand, u32* bytes);
    u32 source_any(const Operand& operand, Type type, u32* bytes);
    /// [register+displacement] or [symbol+displacement]: fills a and imm; mods bit 31 tells a 32-bit register.
    void address(size_t n, std::string_view space);
    /// An address as a further operand: its slot; *offset receives the displacement, *wide whether the register has 64
    /// bits.
    u32 address_of(const Operand& operand, std::string_view space, i64* offset, bool* wide);
    u32* list();
    u32 constant(u64 bits, Type type);
    /// An immediate integer operand.
    u64 integer(size_t n) const;
    void shared_access(u32 bytes);
    /// Whether the origin of this register matters (fragments.h).
    bool followed(const Operand& operand) const;
    /// Whether that of all, or of any, in braces does.
    bool all_followed(const Operand& operand) const;
    bool any_followed(const Operand& operand) const;
    /// Set by a decoder whose record keeps the origins of its results; those of other results are forgotten.
    bool keeps_origins = false;
    u32 target_sm() const { return build_.file.target; }
    const Parameter* parameter(std::string_view name) const;
    u32 parameter_bytes() const { return build_.kernel.parameter_bytes; }

  private:
    u32 read(u32 value);
    u32 written(u32 value);

    EntryBuild& build_;
    std::vector<bool> consumed_;
};

/// Flags in mods: the first or second address operand is a 32-bit register.
inline constexpr u32 kAddress32 = 1u << 31, kSecondAddress32 = 1u << 30;

struct OpDecoder {
    std::string_view root;
    void (*decode)(Builder&);
};

std::span<const OpDecoder> integer_ops();
std::span<const OpDecoder> bit_ops();
std::span<const OpDecoder> float_ops();
std::span<const OpDecoder> arithmetic_ops();
std::span<const OpDecoder> compare_ops();
std::span<const OpDecoder> convert_ops();
std::span<const OpDecoder> move_ops();
std::span<const OpDecoder> memory_ops();
std::span<const OpDecoder> async_ops();
std::span<const OpDecoder> atomic_ops();
std::span<const OpDecoder> matrix_ops();
std::span<const OpDecoder> warp_ops();
std::span<const OpDecoder> barrier_ops();

/// Control flow is emitted by the decoder itself.
namespace control {
const Inst* block_head(Warp& w, const Inst* i);
const Inst* branch(Warp& w, const Inst* i);
const Inst* branch_if(Warp& w, const Inst* i);
const Inst* exit(Warp& w, const Inst* i);
const Inst* exit_if(Warp& w, const Inst* i);
const Inst* guard(Warp& w, const Inst* i);
const Inst* trap(Warp& w, const Inst* i);
}  // namespace control

}  // namespace ptxsim
