// Gives every value of a kernel its place in the warp's frame.
#include <algorithm>

#include "builder.h"

namespace ptxsim {

namespace {

// A predicate is one word of 32 bits, kept in a 64-byte slot like a 16-bit register.
u32 slot_bytes(const Value& value) { return value.predicate ? 64 : std::max(value.bytes, 2u) * kLanes; }

}  // namespace

void allocate_slots(EntryBuild& build) {
    // Largest first keeps every slot aligned to its own size.
    u32 offset = 0;
    for (const u32 size : {256u, 128u, 64u}) {
        for (size_t k = 1; k < build.values.size(); k++) {
            Value& value = build.values[k];
            if (slot_bytes(value) != size) {
                continue;
            }
            value.offset = offset;
            offset += size;
            if (value.kind == Value::Kind::Constant) {
                build.kernel.constants.push_back({value.offset, value.bytes, value.bits, value.predicate});
            } else if (value.kind == Value::Kind::Special) {
                build.kernel.specials.push_back({value.offset, value.special});
            }
        }
    }
    build.kernel.frame_bytes = (offset + 255) / 256 * 256;
    const auto place = [&build](u32 value) { return build.values[value].offset; };
    for (Inst& inst : build.kernel.code) {
        inst.d = place(inst.d);
        inst.a = place(inst.a);
        inst.b = place(inst.b);
        inst.c = place(inst.c);
    }
    for (auto& list : build.kernel.lists) {
        for (u32& value : list) {
            value = place(value);
        }
    }
}

}  // namespace ptxsim
