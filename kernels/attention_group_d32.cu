// Attention of the samples of a prompt (attention_group.cuh), heads of up to 32.
#include "attention_group.cuh"

ATTENTION(attention_group_bf16_d32_t1, 32, 8, 1, 3)
ATTENTION(attention_group_bf16_d32_t2, 32, 4, 2, 3)
ATTENTION(attention_group_bf16_d32_t4, 32, 4, 4, 3)
ATTENTION(attention_group_bf16_d32_t8, 32, 8, 8, 3)
ATTENTION(attention_group_bf16_rounded_d32_t1, 32, 8, 1, 1)
ATTENTION(attention_group_bf16_rounded_d32_t2, 32, 4, 2, 1)
ATTENTION(attention_group_bf16_rounded_d32_t4, 32, 4, 4, 1)
ATTENTION(attention_group_bf16_rounded_d32_t8, 32, 8, 8, 1)
