// The float halves of opcodes that exist for integers and floats.
#pragma once
#include "builder.h"

namespace ptxsim {

void decode_float_add(Builder& b, Type type);
void decode_float_sub(Builder& b, Type type);
void decode_float_mul(Builder& b, Type type);
void decode_float_div(Builder& b, Type type);
void decode_float_min(Builder& b, Type type);
void decode_float_max(Builder& b, Type type);
void decode_float_abs(Builder& b, Type type);
void decode_float_neg(Builder& b, Type type);

}  // namespace ptxsim
