// Weights into panels, and the operations that only move data. Compiled once for every machine: they wait for memory,
// not for arithmetic.
#include <cmath>
#include <cstring>

#include "context.h"
#include "floats.h"

namespace {

using farm::from_bf16;
using farm::from_f16;
using farm::to_bf16;

int64_t round_up(int64_t n, int64_t m) {
    return (n + m - 1) / m * m;
}

float load(const void* data, int dtype, int64_t i) {
    switch (dtype) {
        case FARM_F32:
            return static_cast<const float*>(data)[i];
        case FARM_BF16:
            return from_bf16(static_cast<const uint16_t*>(data)[i]);
        default:
            return from_f16(static_cast<const uint16_t*>(data)[i]);
    }
}

int64_t panel_elements(const farm_weight* w) {
    int64_t unit = w->dtype == FARM_I8 ? FARM_GROUP : w->dtype == FARM_BF16 ? 2 : 1;
    return round_up(w->in_features, unit) * 16;
}

// One row of values to its lane of a panel.
void pack_lane(const farm_weight* w, int64_t panel, int lane, const float* row) {
    int n = w->in_features;
    if (w->dtype == FARM_F32) {
        float* to = static_cast<float*>(w->data) + panel * panel_elements(w) + lane;
        for (int k = 0; k < n; k++) to[static_cast<int64_t>(k) * 16] = row[k];
    } else if (w->dtype == FARM_BF16) {
        uint16_t* to = static_cast<uint16_t*>(w->data) + panel * panel_elements(w) + lane * 2;
        for (int k = 0; k < n; k++) to[static_cast<int64_t>(k / 2) * 32 + k % 2] = to_bf16(row[k]);
    } else {
        uint8_t* to = static_cast<uint8_t*>(w->data) + panel * panel_elements(w) + lane * 4;
        int groups = (n + FARM_GROUP - 1) / FARM_GROUP;
        float* scales = w->scales + panel * groups * 16 + lane;
        for (int g = 0; g < groups; g++) {
            int begin = g * FARM_GROUP, end = begin + FARM_GROUP;
            float peak = 0.0f;
            for (int k = begin; k < end && k < n; k++) peak = std::fabs(row[k]) > peak ? std::fabs(row[k]) : peak;
            float scale = peak / 127.0f;
            scales[g * 16] = scale;
            for (int k = begin; k < end; k++) {
                float value = k < n && scale > 0.0f ? std::nearbyint(row[k] / scale) : 0.0f;
                to[static_cast<int64_t>(k / 4) * 64 + k % 4] = static_cast<uint8_t>(static_cast<int>(value) + 128);
            }
        }
    }
}

float unpack(const farm_weight* w, int64_t panel, int lane, int k) {
    int64_t base = panel * panel_elements(w);
    if (w->dtype == FARM_F32) return static_cast<const float*>(w->data)[base + static_cast<int64_t>(k) * 16 + lane];
    if (w->dtype == FARM_BF16)
        return from_bf16(
            static_cast<const uint16_t*>(w->data)[base + static_cast<int64_t>(k / 2) * 32 + lane * 2 + k % 2]);
    int groups = (w->in_features + FARM_GROUP - 1) / FARM_GROUP;
    int value = static_cast<const uint8_t*>(w->data)[base + static_cast<int64_t>(k / 4) * 64 + lane * 4 + k % 4] - 128;
    return static_cast<float>(value) * w->scales[(panel * groups + k / FARM_GROUP) * 16 + lane];
}

}  // namespace

extern "C" {

int64_t farm_weight_data_bytes(int dtype, int in_features, int panels) {
    farm_weight w = {nullptr, nullptr, dtype, in_features, 0, panels, 0};
    int64_t size = dtype == FARM_F32 ? 4 : dtype == FARM_BF16 ? 2 : 1;
    return panel_elements(&w) * size * panels;
}

int64_t farm_weight_scale_bytes(int dtype, int in_features, int panels) {
    return dtype == FARM_I8 ? (in_features + FARM_GROUP - 1) / FARM_GROUP * int64_t{64} * panels : 0;
}

int64_t farm_kv_head_bytes(int dtype, int head_dim) {
    return FARM_PAGE * (head_dim + round_up(head_dim, 16)) * (dtype == FARM_F32 ? 4 : 2);
}

int32_t farm_weight_pack(farm_context* context, const farm_weight* w, int part, int first_row, int rows,
                         const void* source, int source_dtype) {
    int n = w->in_features;
    int64_t row_floats = round_up(n, 16);
    float* scratch = static_cast<float*>(context->threads.reserve(row_floats * 4 * context->pool.threads()));
    if (scratch == nullptr) return 0;
    int64_t row_bytes = static_cast<int64_t>(n) * (source_dtype == FARM_F32 ? 4 : 2);
    std::atomic<int32_t> bad{rows};
    // A task is one panel: its lines stay in cache while its 16 lanes are filled.
    int first_panel = first_row / 16, panels = (first_row + rows - 1) / 16 - first_panel + 1;
    context->pool.parallel(panels, [&](int task, int thread) {
        float* row = scratch + thread * row_floats;
        for (int lane = 0; lane < 16; lane++) {
            int index = (first_panel + task) * 16 + lane;
            if (index < first_row || index >= first_row + rows) continue;
            const char* from = static_cast<const char*>(source) + (index - first_row) * row_bytes;
            bool finite = true;
            for (int k = 0; k < n; k++) {
                row[k] = load(from, source_dtype, k);
                finite &= farm::is_finite(row[k]);
            }
            if (!finite) {
                int32_t seen = bad.load();
                while (index - first_row < seen && !bad.compare_exchange_weak(seen, index - first_row)) {
                }
                continue;
            }
            int64_t panel = index / 16;
            pack_lane(w, w->gate_up ? panel * 2 + part : panel, lane, row);
        }
    });
    return bad.load() == rows ? -1 : bad.load();
}

int farm_embedding(farm_context* context, const int32_t* ids, int rows, const void* table, int table_dtype,
                   int table_stride, int columns, float* output, int output_stride) {
    context->pool.parallel_rows(rows, [&](int r, int) {
        int64_t base = static_cast<int64_t>(ids[r]) * table_stride;
        float* to = output + static_cast<int64_t>(r) * output_stride;
        for (int c = 0; c < columns; c++) to[c] = load(table, table_dtype, base + c);
    });
    return FARM_OK;
}

int farm_embedding_packed(farm_context* context, const int32_t* ids, int rows, const farm_weight* table, float* output,
                          int output_stride) {
    context->pool.parallel_rows(rows, [&](int r, int) {
        float* to = output + static_cast<int64_t>(r) * output_stride;
        for (int c = 0; c < table->in_features; c++) to[c] = unpack(table, ids[r] / 16, ids[r] % 16, c);
    });
    return FARM_OK;
}

int farm_gather_rows(farm_context*, const void* input, int input_stride, const int32_t* rows, int count, int columns,
                     int element_bytes, void* output, int output_stride) {
    int64_t from = static_cast<int64_t>(input_stride) * element_bytes,
            to = static_cast<int64_t>(output_stride) * element_bytes;
    for (int i = 0; i < count; i++)
        std::memcpy(static_cast<char*>(output) + i * to, static_cast<const char*>(input) + rows[i] * from,
                    static_cast<size_t>(columns) * static_cast<size_t>(element_bytes));
    return FARM_OK;
}

int farm_copy(farm_context* context, const void* input, int input_dtype, int input_stride, void* output,
              int output_dtype, int output_stride, int rows, int columns) {
    context->pool.parallel_rows(rows, [&](int r, int) {
        int64_t from = static_cast<int64_t>(r) * input_stride, to = static_cast<int64_t>(r) * output_stride;
        if (input_dtype == output_dtype) {
            int64_t size = input_dtype == FARM_F32 ? 4 : 2;
            std::memmove(static_cast<char*>(output) + to * size, static_cast<const char*>(input) + from * size,
                         columns * size);
            return;
        }
        for (int c = 0; c < columns; c++) {
            float value = load(input, input_dtype, from + c);
            if (output_dtype == FARM_F32)
                static_cast<float*>(output)[to + c] = value;
            else
                static_cast<uint16_t*>(output)[to + c] = to_bf16(value);
        }
    });
    return FARM_OK;
}

}  // extern "C"
