// A decoded kernel: dense records with handler pointers, ready to run a warp at a time.
#pragma once
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ptx.h"

namespace ptxsim {

struct Warp;
struct Inst;

/// Executes one record for the active lanes of a warp and returns the next one; null ends the warp's turn.
using Handler = const Inst* (*)(Warp&, const Inst*);

struct Inst {
    Handler run = nullptr;
    /// Offsets of operands in the warp's frame: d is written, the others are read. Constants and special registers have
    /// slots too.
    u32 d = 0, a = 0, b = 0, c = 0;
    /// Address displacement, branch target or another number that the handler knows.
    i64 imm = 0;
    /// Further frame offsets: of vector loads, mma fragments and the like.
    const u32* list = nullptr;
    u32 mods = 0;
    u32 pc = 0;
    /// Displacement of a second address.
    i32 disp = 0;
};

enum class Special : u8 {
    TidX,
    TidY,
    TidZ,
    NtidX,
    NtidY,
    NtidZ,
    CtaidX,
    CtaidY,
    CtaidZ,
    NctaidX,
    NctaidY,
    NctaidZ,
    LaneId,
    WarpId,
    Nwarpid,
    SmId,
    Nsmid,
    GridId,
    LaneMaskEq,
    LaneMaskLt,
    LaneMaskLe,
    LaneMaskGt,
    LaneMaskGe,
    Clock,
    Clock64,
    GlobalTimer,
    DynamicSmemSize,
    TotalSmemSize
};

/// Static contents of a basic block; with its execution count they give the instruction counters at no cost while
/// running.
struct Block {
    u32 first = 0;
    u32 instructions = 0;
    u32 flops = 0;  // of one lane
    u32 mma = 0;
    u64 mma_flops = 0;  // of the warp
    u32 barriers = 0;
    u32 ldmatrix = 0;
};

struct Kernel {
    u64 id = 0;  // never used again
    std::string name;
    std::vector<Parameter> parameters;
    u32 parameter_bytes = 0;
    u32 static_shared = 0;  // .shared arrays; dynamic ones start at dynamic_base
    u32 dynamic_base = 0;
    u32 max_threads = 1024;
    bool has_max_threads = false;
    u32 required[3] = {0, 0, 0};
    u32 register_count = 0;  // 32-bit registers of one thread, after slot allocation
    u32 const_bytes = 0;

    std::vector<Inst> code;
    std::deque<std::array<u32, 20>> lists;
    std::vector<SourceLine> source;   // by pc
    std::vector<u32> ptx_line;        // by pc
    std::vector<std::string> opcode;  // by pc
    std::vector<Block> blocks;

    struct Constant {
        u32 slot, bytes;
        u64 bits;
        bool predicate;
    };
    std::vector<Constant> constants;
    struct SpecialSlot {
        u32 slot;
        Special what;
    };
    std::vector<SpecialSlot> specials;
    u32 frame_bytes = 0;
    /// Whether some register's origin matters: fragments.h.
    bool follows_origins = false;
    /// Smallest access to shared memory in the kernel: the size of the checker's cells.
    u32 shared_granule = 16;
    const std::vector<std::string>* files = nullptr;

    /// "name.cu:12:5", or the PTX line where the module has no .loc.
    std::string where(u32 pc) const;
};

/// Addresses of the module's .global and .const variables.
using SymbolTable = std::map<std::string, u64, std::less<>>;

/// Turns a parsed entry into records. Throws PtxError on an unknown opcode, modifier or operand.
std::unique_ptr<Kernel> decode_entry(const PtxFile& file, const Entry& entry, const SymbolTable& globals);

}  // namespace ptxsim
