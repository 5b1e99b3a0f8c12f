#define FARM_LEVEL 4
#define FARM_NS avx512bf16
#define FARM_KERNELS kAvx512Bf16
#include "level.inl"
