#include "ptx.h"

namespace ptxsim {

namespace {

struct Name {
    std::string_view text;
    Type type;
    u32 bytes;
    bool is_float, is_signed;
};

constexpr Name kNames[] = {
    {"pred", Type::Pred, 4, false, false},   {"b8", Type::B8, 1, false, false},
    {"u8", Type::U8, 1, false, false},       {"s8", Type::S8, 1, false, true},
    {"b16", Type::B16, 2, false, false},     {"u16", Type::U16, 2, false, false},
    {"s16", Type::S16, 2, false, true},      {"f16", Type::F16, 2, true, true},
    {"bf16", Type::BF16, 2, true, true},     {"b32", Type::B32, 4, false, false},
    {"u32", Type::U32, 4, false, false},     {"s32", Type::S32, 4, false, true},
    {"f32", Type::F32, 4, true, true},       {"f16x2", Type::F16x2, 4, true, true},
    {"bf16x2", Type::BF16x2, 4, true, true}, {"tf32", Type::TF32, 4, true, true},
    {"b64", Type::B64, 8, false, false},     {"u64", Type::U64, 8, false, false},
    {"s64", Type::S64, 8, false, true},      {"f64", Type::F64, 8, true, true},
};

}  // namespace

u32 type_bytes(Type type) {
    return kNames[(u32)type].bytes;
}

bool is_float(Type type) {
    return kNames[(u32)type].is_float;
}

bool is_signed(Type type) {
    return kNames[(u32)type].is_signed;
}

bool parse_type(std::string_view text, Type* type) {
    for (const Name& name : kNames) {
        if (name.text == text) {
            *type = name.type;
            return true;
        }
    }
    return false;
}

}  // namespace ptxsim
