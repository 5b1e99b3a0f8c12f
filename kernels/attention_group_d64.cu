// Attention of the samples of a prompt (attention_group.cuh), heads of up to 64.
#include "attention_group.cuh"

ATTENTION(attention_group_bf16_d64_t1, 64, 8, 1, 3)
ATTENTION(attention_group_bf16_d64_t2, 64, 4, 2, 3)
ATTENTION(attention_group_bf16_d64_t4, 64, 4, 4, 3)
ATTENTION(attention_group_bf16_d64_t8, 64, 8, 8, 3)
ATTENTION(attention_group_bf16_rounded_d64_t1, 64, 8, 1, 1)
ATTENTION(attention_group_bf16_rounded_d64_t2, 64, 4, 2, 1)
ATTENTION(attention_group_bf16_rounded_d64_t4, 64, 4, 4, 1)
ATTENTION(attention_group_bf16_rounded_d64_t8, 64, 8, 8, 1)
