// Gives every value of a kernel its place in the warp's frame. Compilers write PTX with a register per value, thousands
// of them; values that never live at the same time share a slot, so that a warp's frame stays in the cache.
#include <algorithm>

#include "builder.h"

namespace ptxsim {

namespace {

// A predicate is one word of 32 bits, kept in a 64-byte slot like a 16-bit register.
u32 slot_bytes(const Value& value) {
    return value.predicate ? 64 : std::max(value.bytes, 2u) * kLanes;
}

/// First and last record at which a value matters.
struct Interval {
    u32 value = 0, first = ~0u, last = 0;

    void extend(u32 pc) {
        first = std::min(first, pc);
        last = std::max(last, pc);
    }
};

class Bits {
  public:
    explicit Bits(size_t count) : words_((count + 63) / 64) {}

    void set(u32 bit) { words_[bit / 64] |= 1ull << (bit % 64); }
    bool test(u32 bit) const { return words_[bit / 64] >> (bit % 64) & 1; }
    /// this |= other & ~without; true if that changed anything.
    bool merge(const Bits& other, const Bits* without) {
        bool changed = false;
        for (size_t k = 0; k < words_.size(); k++) {
            const u64 fresh = words_[k] | (other.words_[k] & (without == nullptr ? ~0ull : ~without->words_[k]));
            changed |= fresh != words_[k];
            words_[k] = fresh;
        }
        return changed;
    }
    template <class F>
    void each(F f) const {
        for (size_t k = 0; k < words_.size(); k++) {
            for (u64 rest = words_[k]; rest != 0; rest &= rest - 1) {
                f((u32)(64 * k) + (u32)std::countr_zero(rest));
            }
        }
    }

  private:
    std::vector<u64> words_;
};

struct Flow {
    Bits used, written, live_in, live_out;
    std::vector<u32> next;
    u32 last = 0;  // record

    explicit Flow(size_t values) : used(values), written(values), live_in(values), live_out(values) {}
};

/// What one thread sees: a lane's column of a slot belongs to that lane alone, so lanes that part need no extra care.
class Liveness {
  public:
    explicit Liveness(const EntryBuild& build) : build_(build), registers_(build.entry.registers.size() + 1) {}

    std::vector<Interval> intervals() {
        find_blocks();
        collect_uses();
        spread();
        std::vector<Interval> all(registers_);
        for (u32 k = 0; k < registers_; k++) {
            all[k].value = k;
        }
        for (const EntryBuild::Access& access : build_.accesses) {
            if (access.value < registers_) {
                all[access.value].extend(access.pc);
            }
        }
        for (size_t k = 0; k < blocks_.size(); k++) {
            const u32 first = build_.kernel.blocks[k].first, last = blocks_[k].last;
            blocks_[k].live_in.each([&](u32 value) { all[value].extend(first); });
            blocks_[k].live_out.each([&](u32 value) { all[value].extend(last); });
        }
        std::erase_if(all, [](const Interval& interval) { return interval.first == ~0u; });
        return all;
    }

  private:
    void find_blocks() {
        const std::vector<Block>& blocks = build_.kernel.blocks;
        const std::vector<Inst>& code = build_.kernel.code;
        block_of_.resize(code.size());
        for (u32 k = 0; k < blocks.size(); k++) {
            blocks_.emplace_back(registers_);
            blocks_[k].last = (k + 1 < blocks.size() ? blocks[k + 1].first : (u32)code.size()) - 1;
            for (u32 pc = blocks[k].first; pc <= blocks_[k].last; pc++) {
                block_of_[pc] = k;
            }
        }
        for (u32 k = 0; k < blocks.size(); k++) {
            const Inst& last = code[blocks_[k].last];
            if (last.run == control::branch || last.run == control::branch_if) {
                blocks_[k].next.push_back(block_of_[(size_t)last.imm]);
            }
            if (last.run != control::branch && last.run != control::exit && k + 1 < blocks.size()) {
                blocks_[k].next.push_back(k + 1);
            }
        }
    }

    void collect_uses() {
        for (const EntryBuild::Access& access : build_.accesses) {
            if (access.value >= registers_) {
                continue;
            }
            Flow& block = blocks_[block_of_[access.pc]];
            if (access.writes && !access.partial) {
                block.written.set(access.value);
            } else if (!block.written.test(access.value)) {
                // A guarded write keeps the old value in the lanes that skip it.
                block.used.set(access.value);
            }
        }
    }

    void spread() {
        for (bool changed = true; changed;) {
            changed = false;
            for (size_t k = blocks_.size(); k-- > 0;) {
                Flow& block = blocks_[k];
                for (const u32 next : block.next) {
                    changed |= block.live_out.merge(blocks_[next].live_in, nullptr);
                }
                changed |= block.live_in.merge(block.used, nullptr);
                changed |= block.live_in.merge(block.live_out, &block.written);
            }
        }
    }

    const EntryBuild& build_;
    const size_t registers_;
    std::vector<Flow> blocks_;
    std::vector<u32> block_of_;
};

/// Slots of one size, handed out again when their value is dead.
struct Pool {
    u32 size = 0;
    u32 count = 0;
    std::vector<u32> free;
    std::vector<Interval> active;

    u32 take(const Interval& interval) {
        // A record may write one result before it has read all operands: they must not share a slot.
        std::erase_if(active, [&](const Interval& old) {
            if (old.last >= interval.first) {
                return false;
            }
            free.push_back(old.value);
            return true;
        });
        u32 slot = count;
        if (free.empty()) {
            count++;
        } else {
            slot = free.back();
            free.pop_back();
        }
        active.push_back({slot, interval.first, interval.last});
        return slot;
    }
};

}  // namespace

void allocate_slots(EntryBuild& build) {
    std::vector<Interval> intervals = Liveness(build).intervals();
    std::sort(intervals.begin(), intervals.end(), [](const Interval& a, const Interval& b) {
        return a.first != b.first ? a.first < b.first : a.value < b.value;
    });
    Pool pools[3] = {{256, 0, {}, {}}, {128, 0, {}, {}}, {64, 0, {}, {}}};
    const auto pool_of = [&](const Value& value) -> Pool& {
        const u32 bytes = slot_bytes(value);
        return pools[bytes == 256 ? 0 : bytes == 128 ? 1 : 2];
    };
    for (const Interval& interval : intervals) {
        Value& value = build.values[interval.value];
        value.offset = pool_of(value).take(interval);
    }
    build.kernel.register_count = 2 * pools[0].count + pools[1].count + (pools[2].count + 1) / 2;

    // Constants and special registers live as long as the launch.
    for (size_t k = build.entry.registers.size() + 1; k < build.values.size(); k++) {
        Value& value = build.values[k];
        value.offset = pool_of(value).count++;
    }
    // Largest first keeps every slot aligned to its own size.
    u32 base = 0;
    for (Pool& pool : pools) {
        for (size_t k = 1; k < build.values.size(); k++) {
            Value& value = build.values[k];
            if (slot_bytes(value) == pool.size) {
                value.offset = base + value.offset * pool.size;
                if (value.kind == Value::Kind::Constant) {
                    build.kernel.constants.push_back({value.offset, value.bytes, value.bits, value.predicate});
                } else if (value.kind == Value::Kind::Special) {
                    build.kernel.specials.push_back({value.offset, value.special});
                }
            }
        }
        base += pool.count * pool.size;
    }
    build.kernel.frame_bytes = (base + 255) / 256 * 256;
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
