// Opcodes that exist for integers and floats alike: the type decides which half decodes them.
#include "ops_float.h"
#include "ops_integer.h"

namespace ptxsim {

namespace {

template <void (*Integer)(Builder&, Type), void (*Float)(Builder&, Type)>
void decode_either(Builder& b) {
    const Type type = b.take_type();
    is_float(type) ? Float(b, type) : Integer(b, type);
}

void decode_mul(Builder& b) {
    const bool wide = b.take("wide"), hi = b.take("hi");
    b.take("lo");
    const Type type = b.take_type();
    is_float(type) ? decode_float_mul(b, type) : decode_integer_mul(b, type, wide, hi);
}

constexpr OpDecoder kOps[] = {
    {"add", decode_either<decode_integer_add, decode_float_add>},
    {"sub", decode_either<decode_integer_sub, decode_float_sub>},
    {"mul", decode_mul},
    {"div", decode_either<decode_integer_div, decode_float_div>},
    {"min", decode_either<decode_integer_min, decode_float_min>},
    {"max", decode_either<decode_integer_max, decode_float_max>},
    {"abs", decode_either<decode_integer_abs, decode_float_abs>},
    {"neg", decode_either<decode_integer_neg, decode_float_neg>},
};

}  // namespace

std::span<const OpDecoder> arithmetic_ops() {
    return kOps;
}

}  // namespace ptxsim
