// Tensor-core instructions: ldmatrix and mma.sync. Lane 4g+t holds row g (or column g of B), elements 2t and 2t+1.
#include <cmath>

#include "access.h"
#include "converge.h"
#include "halves.h"

namespace ptxsim {

namespace {

/// Null when all 32 lanes are here.
const Inst* meet(Warp& w, const Inst* i, const char* name) {
    if (w.live != kAllLanes) [[unlikely]] {
        fault(w, i, (u32)std::countr_zero(w.mask), FaultKind::IllegalInstruction, "divergent-warp",
              std::string(name) + " needs all 32 lanes; missing are " + lane_names(~w.live));
    }
    return control::gather(w, i, kAllLanes, FaultKind::IllegalInstruction, "divergent-warp");
}

/// Each matrix is eight rows of 16 bytes; lanes 8m to 8m+7 give the row addresses of matrix m.
template <u32 Matrices, bool Transposed>
const Inst* ldmatrix(Warp& w, const Inst* i) {
    if (const Inst* other = meet(w, i, "ldmatrix")) {
        return other;
    }
    Worker& worker = *w.worker;
    const Lanes<u64> a = addresses(w, i);
    for (u32 m = 0; m < Matrices; m++) {
        alignas(64) u16 rows[8][8];
        u32 groups = 0;
        for (u32 r = 0; r < 8; r++) {
            const u32 lane = 8 * m + r;
            std::memcpy(rows[r], shared_pointer<16>(w, i, lane, a[lane], "reads"), 16);
            groups |= 1u << (a[lane] >> 4 & 7);
        }
        if (worker.check) {
            for (u32 r = 0; r < 8; r++) {
                worker.shadow.read(w, i, 8 * m + r, (u32)a[8 * m + r], 16);
            }
        }
        if (std::popcount(groups) != 8) {
            // Eight rows of four banks each: a pass reads one row per group of four banks.
            u32 most = 1;
            for (u32 r = 0; r < 8; r++) {
                u32 same = 1;
                for (u32 q = 0; q < r; q++) {
                    const bool clash =
                        (a[8 * m + q] >> 4 & 7) == (a[8 * m + r] >> 4 & 7) && a[8 * m + q] != a[8 * m + r];
                    same += clash;
                }
                most = std::max(most, same);
            }
            worker.counters.ldmatrix_conflicts += most - 1;
            worker.counters.shared_load_conflicts += most - 1;
        }
        Lanes<u32> fragment;
        if constexpr (Transposed) {
            for (u32 l = 0; l < kLanes; l++) {
                fragment[l] = rows[2 * (l % 4)][l / 4] | (u32)rows[2 * (l % 4) + 1][l / 4] << 16;
            }
        } else {
            std::memcpy(&fragment, rows, sizeof fragment);
        }
        put<u32>(w, i->list[m], fragment);
        if ((i->mods & kFollowed) != 0 && worker.follow) {
            Lanes<u64> low, high;
            for (u32 l = 0; l < kLanes; l++) {
                const u32 row = Transposed ? l % 4 * 2 : l / 4, column = Transposed ? l / 4 : l % 4 * 2;
                low[l] = worker.origins.element((u32)a[8 * m + row] + 2 * column);
                high[l] = worker.origins.element((u32)a[8 * m + row + Transposed] + 2 * (column + !Transposed));
            }
            put_origins(w, i->list[m], low, high);
        }
    }
    worker.counters.shared_load_requests++;
    return i + 1;
}

void decode_ldmatrix(Builder& b) {
    for (const std::string_view word : {"sync", "aligned", "m8n8", "shared", "shared::cta", "b16"}) {
        b.take(word);
    }
    const u32 count = b.take("x4") ? 4 : b.take("x2") ? 2 : b.take("x1") ? 1 : 0;
    const bool transposed = b.take("trans");
    b.require_operands(2, 2);
    b.address(1, "shared");
    const Operand& to = b.operand(0);
    if (to.elements.size() != count || count == 0) {
        b.error("the number of registers does not fit");
    }
    u32* list = b.list();
    for (u32 k = 0; k < count; k++) {
        list[k] = b.target_of(to.elements[k], Type::B32);
    }
    b.shared_access(16);
    if (b.any_followed(to)) {
        b.inst.mods |= kFollowed;
        b.keeps_origins = true;
    }
    b.counts().ldmatrix++;
    constexpr Handler kPlain[] = {ldmatrix<1, false>, ldmatrix<2, false>, nullptr, ldmatrix<4, false>};
    constexpr Handler kTransposed[] = {ldmatrix<1, true>, ldmatrix<2, true>, nullptr, ldmatrix<4, true>};
    b.inst.run = transposed ? kTransposed[count - 1] : kPlain[count - 1];
}

using Row = float __attribute__((ext_vector_type(8)));

// Columns in the order 0 2 4 6 1 3 5 7: then a row of C is lanes 4g..4g+3 of its first register, then of its second.
struct Accumulator {
    Row rows[16];
};

PTXSIM_INLINE void read_accumulator(Warp& w, const u32* slots, Accumulator& c) {
    for (u32 half = 0; half < 2; half++) {
        const float* even = reinterpret_cast<const float*>(w.frame + slots[2 * half]);
        const float* odd = reinterpret_cast<const float*>(w.frame + slots[2 * half + 1]);
        for (u32 g = 0; g < 8; g++) {
            float* row = reinterpret_cast<float*>(&c.rows[8 * half + g]);
            std::memcpy(row, even + 4 * g, 16);
            std::memcpy(row + 4, odd + 4 * g, 16);
        }
    }
}

PTXSIM_INLINE void write_accumulator(Warp& w, const u32* slots, const Accumulator& c) {
    for (u32 half = 0; half < 2; half++) {
        float* even = reinterpret_cast<float*>(w.frame + slots[2 * half]);
        float* odd = reinterpret_cast<float*>(w.frame + slots[2 * half + 1]);
        for (u32 g = 0; g < 8; g++) {
            const float* row = reinterpret_cast<const float*>(&c.rows[8 * half + g]);
            std::memcpy(even + 4 * g, row, 16);
            std::memcpy(odd + 4 * g, row + 4, 16);
        }
    }
}

/// Flags of mma: the origins of all registers of A, or of B, are followed.
constexpr u32 kLeftFollowed = 1, kRightFollowed = 2;

/// 16 x 8 += 16 x 2K' times 2K' x 8, where each of `Steps` pairs of A registers covers eight values of k.
/// list: d 0-3, a 4-7, b 8-9, c 10-13. A registers seen as halves are row-major [8][8] already.
template <class Half, u32 Steps>
const Inst* mma_half(Warp& w, const Inst* i) {
    if (const Inst* other = meet(w, i, "mma")) {
        return other;
    }
    const u32* list = i->list;
    if (i->mods != 0 && w.worker->follow) {
        if (i->mods & kLeftFollowed) {
            check_left_fragment(w, i, list + 4);
        }
        if (i->mods & kRightFollowed) {
            check_right_fragment(w, i, list + 8);
        }
    }
    alignas(64) float a[2 * Steps][64];
    for (u32 k = 0; k < 2 * Steps; k++) {
        const Lanes<u32> bits = get<u32>(w, list[4 + k]);
        using Halves = u16 __attribute__((ext_vector_type(64)));
        const Halves halves = __builtin_bit_cast(Halves, bits);
        const Lanes<u16> low =
            __builtin_shufflevector(halves, halves, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
                                    19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
        const Lanes<u16> high =
            __builtin_shufflevector(halves, halves, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48,
                                    49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63);
        *reinterpret_cast<Lanes<float>*>(a[k]) = Half::widen(low);
        *reinterpret_cast<Lanes<float>*>(a[k] + 32) = Half::widen(high);
    }
    Row b[8 * Steps];
    for (u32 s = 0; s < Steps; s++) {
        const Lanes<u32> bits = get<u32>(w, list[8 + s]);
        const Lanes<float> even = Half::widen(convert_lanes<u16>(bits)),
                           odd = Half::widen(convert_lanes<u16>(bits >> splat<u32>(16)));
#define PTXSIM_COLUMN(v, t) __builtin_shufflevector(v, v, t, 8 + t, 16 + t, 24 + t, 4 + t, 12 + t, 20 + t, 28 + t)
        b[8 * s + 0] = PTXSIM_COLUMN(even, 0);
        b[8 * s + 1] = PTXSIM_COLUMN(odd, 0);
        b[8 * s + 2] = PTXSIM_COLUMN(even, 1);
        b[8 * s + 3] = PTXSIM_COLUMN(odd, 1);
        b[8 * s + 4] = PTXSIM_COLUMN(even, 2);
        b[8 * s + 5] = PTXSIM_COLUMN(odd, 2);
        b[8 * s + 6] = PTXSIM_COLUMN(even, 3);
        b[8 * s + 7] = PTXSIM_COLUMN(odd, 3);
    }
    Accumulator c;
    read_accumulator(w, list + 10, c);
    for (u32 half = 0; half < 2; half++) {
        for (u32 g = 0; g < 8; g++) {
            Row sum = c.rows[8 * half + g];
            for (u32 s = 0; s < Steps; s++) {
                const float* row = a[2 * s + half] + 8 * g;
                for (u32 k = 0; k < 8; k++) {
                    sum = __builtin_elementwise_fma((Row)(row[k]), b[8 * s + k], sum);
                }
            }
            c.rows[8 * half + g] = sum;
        }
    }
    write_accumulator(w, list, c);
    return i + 1;
}

float tf32(u32 bits) {
    return std::bit_cast<float>(bits & 0xFFFFE000u);
}

/// m16n8k8 and m16n8k4 of tf32: lane 4g+t holds (row g, k t), then row g+8, then k t+4.
template <u32 Steps>
const Inst* mma_tf32(Warp& w, const Inst* i) {
    if (const Inst* other = meet(w, i, "mma")) {
        return other;
    }
    float a[16][4 * Steps], b[4 * Steps][8], c[16][8];
    for (u32 l = 0; l < kLanes; l++) {
        const u32 g = l / 4, t = l % 4;
        for (u32 s = 0; s < Steps; s++) {
            a[g][4 * s + t] = tf32(get<u32>(w, i->list[4 + 2 * s])[l]);
            a[g + 8][4 * s + t] = tf32(get<u32>(w, i->list[5 + 2 * s])[l]);
            b[4 * s + t][g] = tf32(get<u32>(w, i->list[8 + s])[l]);
        }
        for (u32 k = 0; k < 4; k++) {
            c[g + 8 * (k / 2)][2 * t + k % 2] = get<float>(w, i->list[10 + k])[l];
        }
    }
    for (u32 r = 0; r < 16; r++) {
        for (u32 k = 0; k < 4 * Steps; k++) {
            for (u32 n = 0; n < 8; n++) {
                c[r][n] = std::fma(a[r][k], b[k][n], c[r][n]);
            }
        }
    }
    for (u32 k = 0; k < 4; k++) {
        Lanes<float> out;
        for (u32 l = 0; l < kLanes; l++) {
            out[l] = c[l / 4 + 8 * (k / 2)][2 * (l % 4) + k % 2];
        }
        put<float>(w, i->list[k], out);
    }
    return i + 1;
}

/// m16n8k32 and m16n8k16 of bytes: each register holds four consecutive k, 16 k per pair of A registers.
template <class A, class B, u32 Steps>
const Inst* mma_bytes(Warp& w, const Inst* i) {
    if (const Inst* other = meet(w, i, "mma")) {
        return other;
    }
    const u32* list = i->list;
    A a[16][16 * Steps];
    B b[8][16 * Steps];
    for (u32 s = 0; s < Steps; s++) {
        // Lanes 4g..4g+3 of a register are 16 consecutive k of row g.
        for (u32 g = 0; g < 8; g++) {
            std::memcpy(&a[g][16 * s], w.frame + list[4 + 2 * s] + 16 * g, 16);
            std::memcpy(&a[g + 8][16 * s], w.frame + list[5 + 2 * s] + 16 * g, 16);
            std::memcpy(&b[g][16 * s], w.frame + list[8 + s] + 16 * g, 16);
        }
    }
    Lanes<i32> out[4];
    for (u32 k = 0; k < 4; k++) {
        out[k] = get<i32>(w, list[10 + k]);
    }
    for (u32 r = 0; r < 16; r++) {
        for (u32 n = 0; n < 8; n++) {
            i32 sum = 0;
            for (u32 k = 0; k < 16 * Steps; k++) {
                sum += (i32)a[r][k] * (i32)b[n][k];
            }
            out[2 * (r / 8) + n % 2][4 * (r % 8) + n / 2] += sum;
        }
    }
    for (u32 k = 0; k < 4; k++) {
        put<i32>(w, list[k], out[k]);
    }
    return i + 1;
}

template <u32 Steps>
Handler bytes_handler(bool a_signed, bool b_signed) {
    return a_signed ? (b_signed ? mma_bytes<i8, i8, Steps> : mma_bytes<i8, u8, Steps>)
                    : (b_signed ? mma_bytes<u8, i8, Steps> : mma_bytes<u8, u8, Steps>);
}

void decode_mma(Builder& b) {
    for (const std::string_view word : {"sync", "aligned", "row", "col"}) {
        if (!b.take(word)) {
            b.error("only mma.sync.aligned.<shape>.row.col is supported");
        }
    }
    const std::string_view shape = b.take_next();
    const Type to = b.take_type(), first = b.take_type(), second = b.take_type(), from = b.take_type();
    u32 a_registers = 0, k = 0;
    const bool halves =
        first == second && (first == Type::BF16 || first == Type::F16) && to == Type::F32 && from == Type::F32;
    const bool bytes = type_bytes(first) == 1 && type_bytes(second) == 1 && to == Type::S32 && from == Type::S32;
    if (shape == "m16n8k16" && halves) {
        a_registers = 4, k = 16;
        b.inst.run = first == Type::BF16 ? mma_half<BFloat16, 2> : mma_half<Float16, 2>;
    } else if (shape == "m16n8k8" && halves) {
        a_registers = 2, k = 8;
        b.inst.run = first == Type::BF16 ? mma_half<BFloat16, 1> : mma_half<Float16, 1>;
    } else if (shape == "m16n8k8" && first == Type::TF32 && second == Type::TF32) {
        a_registers = 4, k = 8;
        b.inst.run = mma_tf32<2>;
    } else if (shape == "m16n8k4" && first == Type::TF32 && second == Type::TF32) {
        a_registers = 2, k = 4;
        b.inst.run = mma_tf32<1>;
    } else if (shape == "m16n8k32" && bytes) {
        a_registers = 4, k = 32;
        b.inst.run = bytes_handler<2>(is_signed(first), is_signed(second));
    } else if (shape == "m16n8k16" && bytes) {
        a_registers = 2, k = 16;
        b.inst.run = bytes_handler<1>(is_signed(first), is_signed(second));
    } else {
        b.error("this shape and these types are not supported");
    }
    b.take("satfinite") && bytes ? b.error("satfinite is not supported") : (void)0;
    b.require_operands(4, 4);
    u32* list = b.list();
    const auto fragment = [&](size_t n, u32 count) -> const std::vector<Operand>& {
        if (b.operand(n).elements.size() != count) {
            b.error("operand " + std::to_string(n + 1) + " must have " + std::to_string(count) + " registers");
        }
        return b.operand(n).elements;
    };
    for (u32 e = 0; e < a_registers; e++) {
        list[4 + e] = b.source_of(fragment(1, a_registers)[e], Type::B32);
    }
    for (u32 e = 0; e < a_registers / 2; e++) {
        list[8 + e] = b.source_of(fragment(2, a_registers / 2)[e], Type::B32);
    }
    for (u32 e = 0; e < 4; e++) {
        list[10 + e] = b.source_of(fragment(3, 4)[e], Type::B32);
    }
    for (u32 e = 0; e < 4; e++) {
        list[e] = b.target_of(fragment(0, 4)[e], Type::B32);
    }
    if (shape == "m16n8k16" && halves) {
        b.inst.mods |=
            (b.all_followed(b.operand(1)) ? kLeftFollowed : 0) | (b.all_followed(b.operand(2)) ? kRightFollowed : 0);
    }
    b.counts().mma++;
    b.counts().mma_flops += 2ull * 16 * 8 * k;
}

constexpr OpDecoder kOps[] = {{"ldmatrix", decode_ldmatrix}, {"mma", decode_mma}};

}  // namespace

std::span<const OpDecoder> matrix_ops() {
    return kOps;
}

}  // namespace ptxsim
