// Attention of the samples of a prompt (attention_group.cuh), heads of up to 128.
#include "attention_group.cuh"

ATTENTION(attention_group_bf16_d128_t1, 128, 8, 1, 3)
ATTENTION(attention_group_bf16_d128_t2, 128, 4, 2, 3)
ATTENTION(attention_group_bf16_d128_t4, 128, 4, 4, 3)
ATTENTION(attention_group_bf16_d128_t8, 128, 8, 8, 3)
ATTENTION(attention_group_bf16_rounded_d128_t1, 128, 8, 1, 1)
ATTENTION(attention_group_bf16_rounded_d128_t2, 128, 4, 2, 1)
ATTENTION(attention_group_bf16_rounded_d128_t4, 128, 4, 4, 1)
ATTENTION(attention_group_bf16_rounded_d128_t8, 128, 8, 8, 1)
