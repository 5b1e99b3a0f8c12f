// What the products of float32 and of bf16 share.
#pragma once
#include "farm_device.cuh"

// The tile of a block. Blocks run down bands of 8 tile rows: neighbours in time share tiles of b, and the band's tiles
// of a stay in the cache.
FARM_DEVICE void place_tile(int tiles_m, int tiles_n, int& tile_m, int& tile_n) {
    int band = block_x() / (8 * tiles_n), within = block_x() - band * 8 * tiles_n;
    int height = min_of(8, tiles_m - band * 8);
    tile_n = within / height;
    tile_m = band * 8 + within - tile_n * height;
}
