// Rotary embedding of queries and keys in place, then the keys and values into their pages.

static void rotate(float* head, int half, const float* cosine, const float* sine) {
    for (int i = 0; i < half; i++) {
        float a = head[i], b = head[i + half];
        head[i] = a * cosine[i] - b * sine[i];
        head[i + half] = b * cosine[i] + a * sine[i];
    }
}

static void append(const farm_kv_pool* pool, int layer, int head, int slot, const float* key, const float* value) {
    int dim = pool->head_dim, at = slot % FARM_PAGE, lane = at % 16;
    int64_t index = (static_cast<int64_t>(slot / FARM_PAGE) * pool->layers + layer) * pool->heads + head;
    char* base = static_cast<char*>(pool->data) + index * farm_kv_head_bytes(pool->dtype, dim);
    int64_t keys = static_cast<int64_t>(FARM_PAGE) * dim;
    if (pool->dtype == FARM_F32) {
        float* k = reinterpret_cast<float*>(base) + static_cast<int64_t>(at / 16) * dim * 16;
        float* v = reinterpret_cast<float*>(base) + keys;
        for (int d = 0; d < dim; d++) k[d * 16 + lane] = key[d];
        for (int d = 0; d < dim; d++) v[(d / 16 * FARM_PAGE + at) * 16 + d % 16] = value[d];
    } else {
        uint16_t* k = reinterpret_cast<uint16_t*>(base) + static_cast<int64_t>(at / 16) * dim * 16;
        uint16_t* v = reinterpret_cast<uint16_t*>(base) + keys;
        for (int d = 0; d < dim; d++) k[d / 2 * 32 + lane * 2 + d % 2] = to_bf16(key[d]);
        for (int d = 0; d < dim; d++)
            v[(d / 16 * FARM_PAGE + at / 2 * 2) * 16 + d % 16 * 2 + at % 2] = to_bf16(value[d]);
    }
}

static int rope_append(farm_context* context, float* qkv, int qkv_stride, int rows, int query_heads, int kv_heads,
                       int head_dim, const int32_t* positions, const float* cosine, const float* sine,
                       const farm_kv_pool* pool, int layer, const int32_t* slots) {
    context->pool.parallel_rows(rows, [&](int r, int) {
        float* row = qkv + static_cast<int64_t>(r) * qkv_stride;
        int64_t table = static_cast<int64_t>(positions[r]) * (head_dim / 2);
        for (int h = 0; h < query_heads + kv_heads; h++)
            rotate(row + h * head_dim, head_dim / 2, cosine + table, sine + table);
        if (pool == nullptr) return;
        const float* keys = row + query_heads * head_dim;
        const float* values = keys + kv_heads * head_dim;
        for (int h = 0; h < kv_heads; h++) append(pool, layer, h, slots[r], keys + h * head_dim, values + h * head_dim);
    });
    return FARM_OK;
}
