#define FARM_LEVEL 2
#define FARM_NS avx512
#define FARM_KERNELS kAvx512
#include "level.inl"
