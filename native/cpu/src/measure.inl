// What the machine can do at this level: the yardsticks that speeds are reported against.

FARM_INLINE double seconds() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Independent chains hide the latency of the multiply-add.
static double fma_work(int64_t rounds, float* sink) {
    VF acc[12];
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++) acc[i] = vf_set1(static_cast<float>(i));
    VF x = vf_set1(0.999f), y = vf_set1(0.001f);
    for (int64_t n = 0; n < rounds; n++) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++) acc[i] = vf_fma(acc[i], x, y);
    }
#pragma GCC unroll 12
    for (int i = 1; i < 12; i++) acc[0] = vf_add(acc[0], acc[i]);
    *sink = vf_hsum(acc[0]);
    return static_cast<double>(rounds) * 12 * 32;
}

static double int8_work(int64_t rounds, float* sink) {
    alignas(64) uint8_t w[64];
    for (int i = 0; i < 64; i++) w[i] = static_cast<uint8_t>(i);
    VI acc[8];
    for (int i = 0; i < 8; i++) acc[i] = vi_start(i);
    for (int64_t n = 0; n < rounds; n++) {
        int32_t x = static_cast<int32_t>(n);
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) acc[i] = vi_dot(acc[i], vw_load(w), x);
    }
    VF sum = vi_finish(acc[0]);
    for (int i = 1; i < 8; i++) sum = vf_add(sum, vi_finish(acc[i]));
    *sink = vf_hsum(sum);
    return static_cast<double>(rounds) * 8 * 128;
}

#if FARM_LEVEL >= 4
static double bf16_work(int64_t rounds, float* sink) {
    VF acc[12];
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++) acc[i] = vf_zero();
    __m512i x = _mm512_set1_epi16(0x3F80);
    for (int64_t n = 0; n < rounds; n++) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++) asm("vdpbf16ps %1, %1, %0" : "+v"(acc[i]) : "v"(x));
    }
#pragma GCC unroll 12
    for (int i = 1; i < 12; i++) acc[0] = vf_add(acc[0], acc[i]);
    *sink = vf_hsum(acc[0]);
    return static_cast<double>(rounds) * 12 * 64;
}
#else
static double bf16_work(int64_t, float* sink) {
    *sink = 0.0f;
    return 0.0;
}
#endif

static double read_work(const float* data, int64_t count, float* sink) {
    VF s[8];
    for (int i = 0; i < 8; i++) s[i] = vf_zero();
    for (int64_t n = 0; n + 128 <= count; n += 128) {
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) s[i] = vf_add(s[i], vf_load(data + n + i * 16));
    }
    for (int i = 1; i < 8; i++) s[0] = vf_add(s[0], s[i]);
    *sink = vf_hsum(s[0]);
    return static_cast<double>(count) * 4;
}

static double measure(farm_context* context, int what) {
    int threads = context->pool.threads();
    // Far beyond any cache, so that the read is of memory.
    constexpr int64_t kReadBytes = int64_t{256} << 20;
    float* data = nullptr;
    if (what == FARM_MEASURE_READ_BYTES) {
        data = static_cast<float*>(farm_allocate(kReadBytes));
        if (data == nullptr) return 0.0;
    }
    int64_t slice = kReadBytes / 4 / threads;
    if (data != nullptr)
        context->pool.parallel(threads, [&](int task, int) {
            for (int64_t i = 0; i < slice; i++) data[task * slice + i] = 1.0f;
        });
    double best = 0.0;
    for (int repeat = 0; repeat < 7; repeat++) {
        std::atomic<int> waiting{threads};
        std::atomic<int64_t> work{0};
        std::atomic<int64_t> started{0};
        context->pool.parallel(threads, [&](int task, int) {
            // Every thread holds exactly one task, and all begin together.
            waiting.fetch_sub(1);
            while (waiting.load() > 0) {
            }
            int64_t now = static_cast<int64_t>(seconds() * 1e9), none = 0;
            started.compare_exchange_strong(none, now);
            float sink;
            double done = what == FARM_MEASURE_FMA_FLOPS    ? fma_work(4000000, &sink)
                          : what == FARM_MEASURE_INT8_OPS   ? int8_work(2000000, &sink)
                          : what == FARM_MEASURE_BF16_FLOPS ? bf16_work(4000000, &sink)
                                                            : read_work(data + task * slice, slice, &sink);
            volatile float keep = sink;
            (void)keep;
            work.fetch_add(static_cast<int64_t>(done));
        });
        double elapsed = seconds() - 1e-9 * static_cast<double>(started.load());
        double rate = static_cast<double>(work.load()) / elapsed;
        best = rate > best ? rate : best;
    }
    if (data != nullptr) farm_free(data, kReadBytes);
    return best;
}
