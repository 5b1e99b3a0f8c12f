// Operations on rows that wait for memory alone: RMSNorm, rotary embedding with the append to the key/value pages,
// embeddings, gathers and copies. A block a row (or a row and head); no shared memory but for the norm's reduction.
#include "farm_device.cuh"

// output = x / sqrt(mean(x^2) + epsilon) * weight (Zhang and Sennrich, 2019, eq. 4); input and output may be one.
//   bytes  rows read twice (the second time from cache) and written once; a block of 256 threads a row
FARM_KERNEL(256)
rms_norm(const float* input, int input_stride, const float* __restrict__ weight, float epsilon, float* output,
         int output_stride, int columns) {
    __shared__ float scratch[8];
    const float* x = input + static_cast<s64>(block_x()) * input_stride;
    float* y = output + static_cast<s64>(block_x()) * output_stride;
    float sum = 0.0f;
    FARM_NO_UNROLL
    for (int i = thread_x(); i < columns; i += 256) sum = fma(x[i], x[i], sum);
    sum = block_sum<256>(sum, scratch);
    float factor = 1.0f / square_root(sum / static_cast<float>(columns) + epsilon);
    FARM_NO_UNROLL
    for (int i = thread_x(); i < columns; i += 256) y[i] = x[i] * factor * weight[i];
}

FARM_DEVICE void store_element(float* p, float value) {
    *p = value;
}
FARM_DEVICE void store_element(u16* p, float value) {
    *p = bf16_round(value);
}

// A block is a row and one of its heads: queries, then keys, then values. Queries and keys are turned in place (Su et
// al., RoFormer, 2021, section 3.4; halves paired as i and i + half); keys and values then go to their slot of the
// pool, [page][layer: keys, then values][head][kPage][pitch], columns past the head's width as zeros.
//   bytes  qkv read and (queries and keys) written once, the appended keys and values written once
template <class T>
FARM_DEVICE void rope(float* qkv, int stride, int query_heads, int kv_heads, int half, const int* positions,
                      const float* cosine, const float* sine, T* pool, s64 page_stride, s64 value_offset, int pitch,
                      const int* slots) {
    int row = block_x(), head = block_y(), dim = 2 * half;
    float* x = qkv + static_cast<s64>(row) * stride + head * dim;
    bool is_value = head >= query_heads + kv_heads, appends = pool != nullptr && head >= query_heads;
    int slot = appends ? slots[row] : 0, kv_head = head - query_heads - (is_value ? kv_heads : 0);
    T* to = pool + (slot >> 7) * page_stride + (is_value ? value_offset : 0) +
            (static_cast<s64>(kv_head) * 128 + (slot & 127)) * pitch;
    if (!is_value) {
        s64 table = static_cast<s64>(positions[row]) * half;
        FARM_NO_UNROLL
        for (int i = thread_x(); i < half; i += 64) {
            float c = cosine[table + i], s = sine[table + i], a = x[i], b = x[i + half];
            float turned_a = a * c - b * s, turned_b = b * c + a * s;
            x[i] = turned_a;
            x[i + half] = turned_b;
            if (appends) {
                store_element(to + i, turned_a);
                store_element(to + i + half, turned_b);
            }
        }
    } else if (appends) {
        FARM_NO_UNROLL
        for (int i = thread_x(); i < dim; i += 64) store_element(to + i, x[i]);
    }
    if (appends && thread_x() < pitch - dim) store_element(to + dim + thread_x(), 0.0f);
}

FARM_KERNEL(64)
rope_append_f32(float* qkv, int stride, int query_heads, int kv_heads, int half, const int* __restrict__ positions,
                const float* __restrict__ cosine, const float* __restrict__ sine, float* pool, s64 page_stride,
                s64 value_offset, int pitch, const int* __restrict__ slots) {
    rope(qkv, stride, query_heads, kv_heads, half, positions, cosine, sine, pool, page_stride, value_offset, pitch,
         slots);
}
FARM_KERNEL(64)
rope_append_bf16(float* qkv, int stride, int query_heads, int kv_heads, int half, const int* __restrict__ positions,
                 const float* __restrict__ cosine, const float* __restrict__ sine, u16* pool, s64 page_stride,
                 s64 value_offset, int pitch, const int* __restrict__ slots) {
    rope(qkv, stride, query_heads, kv_heads, half, positions, cosine, sine, pool, page_stride, value_offset, pitch,
         slots);
}

// Rows of a table, and of weights packed as in linear_skinny.cu and linear_f32.cu.
FARM_KERNEL(128)
embedding_f32(const int* __restrict__ ids, const float* __restrict__ table, int stride, int columns, float* output,
              int output_stride) {
    const float* from = table + static_cast<s64>(ids[block_x()]) * stride;
    float* to = output + static_cast<s64>(block_x()) * output_stride;
    FARM_NO_UNROLL
    for (int i = thread_x(); i < columns; i += 128) to[i] = from[i];
}
FARM_KERNEL(128)
embedding_bf16(const int* __restrict__ ids, const u16* __restrict__ table, int stride, int columns, float* output,
               int output_stride) {
    const u16* from = table + static_cast<s64>(ids[block_x()]) * stride;
    float* to = output + static_cast<s64>(block_x()) * output_stride;
    FARM_NO_UNROLL
    for (int i = thread_x(); i < columns; i += 128) to[i] = bf16_to_float(from[i]);
}
FARM_KERNEL(128)
embedding_packed_f32(const int* __restrict__ ids, const float* __restrict__ w, int units, int columns, float* output,
                     int output_stride) {
    int id = ids[block_x()];
    const float* from = w + (static_cast<s64>(id / 32) * units * 16 * 32 + id % 32) * 4;
    float* to = output + static_cast<s64>(block_x()) * output_stride;
    FARM_NO_UNROLL
    for (int k = thread_x(); k < columns; k += 128) to[k] = from[k / 4 * 128 + k % 4];
}
FARM_KERNEL(128)
embedding_packed_bf16(const int* __restrict__ ids, const u16* __restrict__ w, int units, int columns, float* output,
                      int output_stride) {
    int id = ids[block_x()];
    const u16* from = w + static_cast<s64>(id / 8) * units * 512 + id % 8 * 32;
    float* to = output + static_cast<s64>(block_x()) * output_stride;
    FARM_NO_UNROLL
    for (int k = thread_x(); k < columns; k += 128) to[k] = bf16_to_float(from[k / 32 * 256 + k % 32]);
}
FARM_KERNEL(128)
embedding_packed_int8(const int* __restrict__ ids, const s8* __restrict__ w, const float* __restrict__ scales,
                      int units, int columns, float* output, int output_stride) {
    int id = ids[block_x()];
    const s8* from = w + static_cast<s64>(id / 8) * units * 512 + id % 8 * 64;
    const float* scale = scales + static_cast<s64>(id / 8) * units * 8 + id % 8;
    float* to = output + static_cast<s64>(block_x()) * output_stride;
    FARM_NO_UNROLL
    for (int k = thread_x(); k < columns; k += 128) {
        int unit = k / 64, in_unit = k % 64;
        int value = from[unit * 512 + in_unit % 32 / 8 * 16 + in_unit / 32 * 8 + in_unit % 8];
        to[k] = static_cast<float>(value) * scale[unit * 8];
    }
}

// output[i, :] = input[rows[i], :], or input[i, :] without rows; elements of one type.
template <class T>
FARM_DEVICE void gather(const T* input, int stride, const int* rows, int columns, T* output, int output_stride) {
    s64 row = rows != nullptr ? rows[block_x()] : block_x();
    const T* from = input + row * stride;
    T* to = output + static_cast<s64>(block_x()) * output_stride;
    FARM_NO_UNROLL
    for (int i = thread_x(); i < columns; i += 128) to[i] = from[i];
}
FARM_KERNEL(128)
gather_rows_1(const u8* __restrict__ input, int stride, const int* __restrict__ rows, int columns, u8* output,
              int output_stride) {
    gather(input, stride, rows, columns, output, output_stride);
}
FARM_KERNEL(128)
gather_rows_2(const u16* __restrict__ input, int stride, const int* __restrict__ rows, int columns, u16* output,
              int output_stride) {
    gather(input, stride, rows, columns, output, output_stride);
}
FARM_KERNEL(128)
gather_rows_4(const u32* __restrict__ input, int stride, const int* __restrict__ rows, int columns, u32* output,
              int output_stride) {
    gather(input, stride, rows, columns, output, output_stride);
}
FARM_KERNEL(128)
copy_f32_to_bf16(const float* __restrict__ input, int stride, int columns, u16* output, int output_stride) {
    const float* from = input + static_cast<s64>(block_x()) * stride;
    u16* to = output + static_cast<s64>(block_x()) * output_stride;
    FARM_NO_UNROLL
    for (int i = thread_x(); i < columns; i += 128) to[i] = bf16_round(from[i]);
}
FARM_KERNEL(128)
copy_bf16_to_f32(const u16* __restrict__ input, int stride, int columns, float* output, int output_stride) {
    const u16* from = input + static_cast<s64>(block_x()) * stride;
    float* to = output + static_cast<s64>(block_x()) * output_stride;
    FARM_NO_UNROLL
    for (int i = thread_x(); i < columns; i += 128) to[i] = bf16_to_float(from[i]);
}
