#define FARM_LEVEL 3
#define FARM_NS avx512vnni
#define FARM_KERNELS kAvx512Vnni
#include "level.inl"
