// The integer halves of opcodes that exist for integers and floats.
#pragma once
#include "builder.h"

namespace ptxsim {

void decode_integer_add(Builder& b, Type type);
void decode_integer_sub(Builder& b, Type type);
void decode_integer_mul(Builder& b, Type type, bool wide, bool hi);
void decode_integer_div(Builder& b, Type type);
void decode_integer_min(Builder& b, Type type);
void decode_integer_max(Builder& b, Type type);
void decode_integer_abs(Builder& b, Type type);
void decode_integer_neg(Builder& b, Type type);

}  // namespace ptxsim
