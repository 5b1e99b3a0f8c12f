#define FARM_LEVEL 0
#define FARM_NS portable
#define FARM_KERNELS kPortable
#include "level.inl"
