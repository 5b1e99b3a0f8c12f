#include "fragments.h"

#include <array>
#include <optional>
#include <string>

#include "warp.h"

namespace ptxsim {

namespace {

/// An operand with `Registers` registers: of A ("left"), element (outer = row, k); of B, element (outer = column, k).
template <bool Left>
struct Fragment {
    static constexpr u32 kRegisters = Left ? 4 : 2;

    static u32 outer(u32 reg, u32 lane) { return lane / 4 + (Left ? reg % 2 * 8 : 0); }
    static u32 k(u32 reg, u32 lane) { return lane % 4 * 2 + (Left ? reg / 2 : reg) * 8; }
    static std::string name(u32 reg) { return (Left ? "a" : "b") + std::to_string(reg); }

    std::array<const Origins*, kRegisters> registers;

    Fragment(const Warp& w, const u32* slots) {
        for (u32 r = 0; r < kRegisters; r++) {
            registers[r] = w.origins + slots[r] / sizeof(Lanes<u32>);
        }
    }
    u64 address(u32 reg, u32 lane, u32 half) const {
        const Origins& r = *registers[reg];
        return half == 0 ? r.low[lane] : r.high[lane];
    }
    /// f(reg, lane, half, address) for each element with an address, until it returns false.
    template <class F>
    bool each_known(F f) const {
        for (u32 r = 0; r < kRegisters; r++) {
            for (u32 l = 0; l < kLanes; l++) {
                for (u32 h = 0; h < 2; h++) {
                    const u64 a = address(r, l, h);
                    if (a > kZeroFilled && !f(r, l, h, a)) {
                        return false;
                    }
                }
            }
        }
        return true;
    }
};

PTXSIM_INLINE bool all(Lanes<i64> equal) {
    return pack(equal) == kAllLanes;
}

/// Every element where the first ones say that a matrix's elements are.
template <bool Left>
bool fits_matrix(const Fragment<Left>& operand) {
    const Origins& first = *operand.registers[0];
    const u64 base = first.low[0], outer = first.low[4] - base, k = first.high[0] - base;
    if (outer != 2 && k != 2) {
        return false;
    }
    Lanes<u64> want;
    for (u32 l = 0; l < kLanes; l++) {
        reinterpret_cast<u64*>(&want)[l] = base + outer * (l / 4) + k * (l % 4 * 2);
    }
    for (u32 r = 0; r < Fragment<Left>::kRegisters; r++) {
        const u64 shift = outer * Fragment<Left>::outer(r, 0) + k * Fragment<Left>::k(r, 0);
        const Origins& reg = *operand.registers[r];
        if (!all(reg.low == want + splat(shift)) || !all(reg.high == want + splat(shift + k))) {
            return false;
        }
    }
    return true;
}

/// Fragments that lie in memory as lanes hold them: 16 bytes a lane, of B also 8; consecutive registers, consecutive
/// words.
template <bool Left>
bool fits_packed(const Fragment<Left>& operand) {
    for (const u32 lane_bytes : {16u, 8u}) {
        std::optional<u64> base;
        const bool fits = operand.each_known([&](u32 r, u32 l, u32 h, u64 a) {
            const u64 begin = a - (lane_bytes * l + 4 * r + 2 * h);
            base = base.value_or(begin);
            return *base == begin;
        });
        if (fits) {
            return true;
        }
        if (Left) {
            break;
        }
    }
    return false;
}

template <bool Left>
bool has_unknown(const Fragment<Left>& operand) {
    for (const Origins* r : operand.registers) {
        if (pack(r->low == splat(kUnknown)) != 0 || pack(r->high == splat(kUnknown)) != 0) {
            return true;
        }
    }
    return false;
}

/// An element that has an address, and the affine place of every other one relative to it.
struct Element {
    u32 reg = 0, lane = 0, half = 0;
    u64 address = 0;
};
struct Matrix {
    Element first;
    i64 outer_stride = 0, k_stride = 0;

    template <bool Left>
    i64 offset(u32 reg, u32 lane, u32 half) const {
        using F = Fragment<Left>;
        return outer_stride * ((i64)F::outer(reg, lane) - F::outer(first.reg, first.lane)) +
               k_stride * ((i64)F::k(reg, lane) + half - F::k(first.reg, first.lane) - first.half);
    }
};

/// The matrix that the first known elements tell, with lines along k or along the other index.
template <bool Left>
Matrix matrix_of(const Fragment<Left>& operand, bool lines_along_k) {
    using F = Fragment<Left>;
    Matrix m;
    bool found = false;
    operand.each_known([&](u32 r, u32 l, u32 h, u64 a) {
        if (!found) {
            m.first = {r, l, h, a};
            found = true;
            return true;
        }
        const i64 outer = (i64)F::outer(r, l) - F::outer(m.first.reg, m.first.lane);
        const i64 k = (i64)F::k(r, l) + h - F::k(m.first.reg, m.first.lane) - m.first.half;
        const i64 across = lines_along_k ? outer : k, along = lines_along_k ? k : outer;
        if (across == 0) {
            return true;
        }
        (lines_along_k ? m.outer_stride : m.k_stride) = ((i64)(a - m.first.address) - 2 * along) / across;
        return false;
    });
    (lines_along_k ? m.k_stride : m.outer_stride) = 2;
    return m;
}

template <bool Left>
std::optional<Element> misplaced(const Fragment<Left>& operand, const Matrix& m) {
    std::optional<Element> wrong;
    operand.each_known([&](u32 r, u32 l, u32 h, u64 a) {
        if ((i64)(a - m.first.address) == m.offset<Left>(r, l, h)) {
            return true;
        }
        wrong = Element{r, l, h, a};
        return false;
    });
    return wrong;
}

template <bool Left>
std::string element_name(const Element& e) {
    using F = Fragment<Left>;
    return F::name(e.reg) + " of lane " + std::to_string(e.lane) + " (" + (Left ? "row " : "column ") +
           std::to_string(F::outer(e.reg, e.lane)) + ", k " + std::to_string(F::k(e.reg, e.lane) + e.half) + ")";
}

template <bool Left>
[[noreturn]] void wrong_fragment(const Warp& w, const Inst* i, const Matrix& m, const Element& wrong) {
    const i64 distance = (i64)(wrong.address - m.first.address);
    fault(w, i, wrong.lane, FaultKind::Hazard, "fragment",
          std::string("the registers of ") + (Left ? "A" : "B") + " do not lie as a fragment of one matrix: " +
              element_name<Left>(wrong) + " comes from " + device_memory().describe(wrong.address) + ", which is " +
              std::to_string(distance) + " bytes after " + element_name<Left>(m.first) + "; where lines run along " +
              (m.k_stride == 2 ? "k"
               : Left          ? "rows"
                               : "columns") +
              ", " + std::to_string(m.outer_stride) + " bytes a " + (Left ? "row" : "column") + " and " +
              std::to_string(m.k_stride) + " a k, it would be " +
              std::to_string(m.offset<Left>(wrong.reg, wrong.lane, wrong.half)));
}

template <bool Left>
void check(const Warp& w, const Inst* i, const u32* slots) {
    const Fragment<Left> operand(w, slots);
    if (operand.registers[0]->low[0] == kUnknown || fits_matrix(operand)) [[likely]] {
        return;
    }
    if (has_unknown(operand) || fits_packed(operand)) {
        return;
    }
    const Matrix by_k = matrix_of(operand, true), by_outer = matrix_of(operand, false);
    const std::optional<Element> wrong = misplaced(operand, by_k), also = misplaced(operand, by_outer);
    if (!wrong || !also) {
        return;
    }
    // What the elements of one register show tells how lines run.
    const Origins& first = *operand.registers[0];
    const bool pairs_along_k = first.high[0] == first.low[0] + 2;
    pairs_along_k ? wrong_fragment<Left>(w, i, by_k, *wrong) : wrong_fragment<Left>(w, i, by_outer, *also);
}

}  // namespace

void check_left_fragment(const Warp& w, const Inst* i, const u32* slots) {
    check<true>(w, i, slots);
}

void check_right_fragment(const Warp& w, const Inst* i, const u32* slots) {
    check<false>(w, i, slots);
}

}  // namespace ptxsim
