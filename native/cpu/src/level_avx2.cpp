#define FARM_LEVEL 1
#define FARM_NS avx2
#define FARM_KERNELS kAvx2
#include "level.inl"
