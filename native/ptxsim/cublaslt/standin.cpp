// A stand-in for cuBLASLt: the entry points that Farm calls, over memory of the driver simulator, so that the host code
// around them is tested without NVIDIA's library. It is strict where the library documents a rule and may be lenient,
// it multiplies on the CPU, and it waits for its stream first. Constants are the published values of cublasLt.h and
// cublas_api.h of CUDA 11 to 13.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#define STANDIN_EXPORT extern "C" __attribute__((visibility("default")))

extern "C" {
int cuStreamSynchronize(void* stream);
int cuMemcpyDtoH_v2(void* to, std::uint64_t from, std::size_t bytes);
int cuMemcpyHtoD_v2(std::uint64_t to, const void* from, std::size_t bytes);
}

namespace {

enum Status { Success = 0, NotInitialized = 1, InvalidValue = 7, ExecutionFailed = 13, NotSupported = 15 };
enum Type { Float32 = 0, BFloat16 = 14 };
constexpr int Compute32F = 68;
constexpr std::uint64_t Workspace = 4096;
constexpr std::uint64_t Unaligned = 256;

struct Object {
    virtual ~Object() = default;
};

struct Handle : Object {};

struct Product : Object {
    int turned[2] = {0, 0};
};

struct Layout : Object {
    int type = 0;
    std::uint64_t rows = 0, columns = 0;
    std::int64_t ld = 0;
};

struct Preference : Object {
    std::uint64_t workspace = 0;
    std::uint32_t reductions = 7;
    // Of A, B, C and D.
    std::uint32_t alignment[4] = {Unaligned, Unaligned, Unaligned, Unaligned};
};

struct Algorithm {
    std::uint64_t data[8];
};

struct Heuristic {
    Algorithm algorithm;
    std::size_t workspace;
    int state;
    float waves;
    int reserved[4];
};
static_assert(sizeof(Heuristic) == 96);

std::mutex gate;
std::vector<std::unique_ptr<Object>> objects;
// Handles made, handles destroyed, objects alive, algorithms chosen, products done, the reduction schemes that the last
// choice allowed.
std::int64_t counts[6];
int choice_answer = Success, product_answer = Success;

template <class T>
T* find(void* object) {
    for (const auto& held : objects) {
        if (held.get() == object) {
            return dynamic_cast<T*>(held.get());
        }
    }
    return nullptr;
}

template <class T>
int make(void** object, T** made = nullptr) {
    if (object == nullptr) {
        return InvalidValue;
    }
    auto held = std::make_unique<T>();
    *object = held.get();
    if (made != nullptr) {
        *made = held.get();
    }
    objects.push_back(std::move(held));
    return Success;
}

template <class T>
int destroy(void* object) {
    const std::lock_guard lock(gate);
    if (find<T>(object) == nullptr) {
        return InvalidValue;
    }
    std::erase_if(objects, [object](const auto& held) { return held.get() == object; });
    return Success;
}

template <class T>
bool read(T& to, const void* from, std::size_t bytes) {
    if (from == nullptr || bytes != sizeof(T)) {
        return false;
    }
    std::memcpy(&to, from, bytes);
    return true;
}

std::size_t size_of(int type) {
    return type == BFloat16 ? 2 : 4;
}

/// The operands of a product, found and fitting each other: op(A) is m x k, op(B) k x n, C and D m x n, all by columns.
struct Shape {
    const Product* product = nullptr;
    const Layout *a = nullptr, *b = nullptr, *c = nullptr, *d = nullptr;
    std::uint64_t m = 0, n = 0, k = 0;

    bool resolve(void* product_, void* a_, void* b_, void* c_, void* d_) {
        product = find<Product>(product_);
        a = find<Layout>(a_);
        b = find<Layout>(b_);
        c = find<Layout>(c_);
        d = find<Layout>(d_);
        if (product == nullptr || a == nullptr || b == nullptr || c == nullptr || d == nullptr) {
            return false;
        }
        const bool ta = product->turned[0] != 0, tb = product->turned[1] != 0;
        m = ta ? a->columns : a->rows;
        k = ta ? a->rows : a->columns;
        n = tb ? b->rows : b->columns;
        return k == (tb ? b->columns : b->rows) && c->rows == m && c->columns == n && d->rows == m && d->columns == n &&
               c->ld == d->ld && a->type == b->type && c->type == Float32 && d->type == Float32;
    }

    std::uint64_t mark() const {
        std::uint64_t hash = 1469598103934665603u;
        for (const std::uint64_t part :
             {m, n, k, (std::uint64_t)a->ld, (std::uint64_t)b->ld, (std::uint64_t)c->ld, (std::uint64_t)a->type,
              (std::uint64_t)(product->turned[0] * 2 + product->turned[1])}) {
            hash = (hash ^ part) * 1099511628211u;
        }
        return hash;
    }
};

bool fetch(const Layout& layout, std::uint64_t address, std::vector<double>& values) {
    // The last column has no padding behind it that must be there.
    const std::size_t count = (layout.columns - 1) * layout.ld + layout.rows, size = size_of(layout.type);
    std::vector<std::uint8_t> bytes(count * size);
    if (cuMemcpyDtoH_v2(bytes.data(), address, bytes.size()) != 0) {
        return false;
    }
    values.resize(layout.rows * layout.columns);
    for (std::uint64_t column = 0; column < layout.columns; column++) {
        for (std::uint64_t row = 0; row < layout.rows; row++) {
            const std::uint8_t* at = &bytes[(column * layout.ld + row) * size];
            std::uint32_t word = 0;
            if (layout.type == BFloat16) {
                std::uint16_t half;
                std::memcpy(&half, at, 2);
                word = (std::uint32_t)half << 16;
            } else {
                std::memcpy(&word, at, 4);
            }
            float value;
            std::memcpy(&value, &word, 4);
            values[column * layout.rows + row] = value;
        }
    }
    return true;
}

bool multiply(const Shape& s, float alpha, std::uint64_t a_address, std::uint64_t b_address, float beta,
              std::uint64_t c_address, std::uint64_t d_address) {
    std::vector<double> a, b, c;
    // C is not read where beta is 0: it may hold anything.
    if (!fetch(*s.a, a_address, a) || !fetch(*s.b, b_address, b) || (beta != 0 && !fetch(*s.c, c_address, c))) {
        return false;
    }
    const bool ta = s.product->turned[0] != 0, tb = s.product->turned[1] != 0;
    std::vector<float> column(s.m);
    for (std::uint64_t j = 0; j < s.n; j++) {
        for (std::uint64_t i = 0; i < s.m; i++) {
            double sum = 0;
            for (std::uint64_t l = 0; l < s.k; l++) {
                sum += a[ta ? i * s.a->rows + l : l * s.a->rows + i] * b[tb ? l * s.b->rows + j : j * s.b->rows + l];
            }
            column[i] = (float)(alpha * sum + (beta != 0 ? beta * c[j * s.m + i] : 0));
        }
        if (cuMemcpyHtoD_v2(d_address + j * s.d->ld * sizeof(float), column.data(), s.m * sizeof(float)) != 0) {
            return false;
        }
    }
    return true;
}

}  // namespace

/// What has happened since the library was loaded; see counts.
STANDIN_EXPORT void cublasLtStandinCounts(std::int64_t* out) {
    const std::lock_guard lock(gate);
    std::memcpy(out, counts, sizeof(counts));
    out[2] = (std::int64_t)objects.size();
}

/// What choosing an algorithm and multiplying answer from now on; 0 to work.
STANDIN_EXPORT void cublasLtStandinAnswer(int choice, int product) {
    const std::lock_guard lock(gate);
    choice_answer = choice;
    product_answer = product;
}

STANDIN_EXPORT std::size_t cublasLtGetVersion() {
    return 130000;
}

STANDIN_EXPORT int cublasLtCreate(void** handle) {
    const std::lock_guard lock(gate);
    counts[0]++;
    return make<Handle>(handle);
}

STANDIN_EXPORT int cublasLtDestroy(void* handle) {
    const int status = destroy<Handle>(handle);
    const std::lock_guard lock(gate);
    counts[1] += status == Success;
    return status;
}

STANDIN_EXPORT int cublasLtMatmulDescCreate(void** product, int compute, int scale) {
    const std::lock_guard lock(gate);
    return compute == Compute32F && scale == Float32 ? make<Product>(product) : NotSupported;
}

STANDIN_EXPORT int cublasLtMatmulDescDestroy(void* product) {
    return destroy<Product>(product);
}

STANDIN_EXPORT int cublasLtMatmulDescSetAttribute(void* handle, int attribute, const void* value, std::size_t bytes) {
    const std::lock_guard lock(gate);
    auto* product = find<Product>(handle);
    std::int32_t operation = 0;
    // 3 and 4: how A and B are turned.
    if (product == nullptr || (attribute != 3 && attribute != 4) || !read(operation, value, bytes) || operation < 0 ||
        operation > 1) {
        return InvalidValue;
    }
    product->turned[attribute - 3] = operation;
    return Success;
}

STANDIN_EXPORT int cublasLtMatrixLayoutCreate(void** layout, int type, std::uint64_t rows, std::uint64_t columns,
                                              std::int64_t ld) {
    const std::lock_guard lock(gate);
    if ((type != Float32 && type != BFloat16) || rows == 0 || columns == 0 || ld < (std::int64_t)rows) {
        return InvalidValue;
    }
    Layout* made = nullptr;
    const int status = make<Layout>(layout, &made);
    if (status == Success) {
        made->type = type;
        made->rows = rows;
        made->columns = columns;
        made->ld = ld;
    }
    return status;
}

STANDIN_EXPORT int cublasLtMatrixLayoutDestroy(void* layout) {
    return destroy<Layout>(layout);
}

STANDIN_EXPORT int cublasLtMatmulPreferenceCreate(void** preference) {
    const std::lock_guard lock(gate);
    return make<Preference>(preference);
}

STANDIN_EXPORT int cublasLtMatmulPreferenceDestroy(void* preference) {
    return destroy<Preference>(preference);
}

STANDIN_EXPORT int cublasLtMatmulPreferenceSetAttribute(void* handle, int attribute, const void* value,
                                                        std::size_t bytes) {
    const std::lock_guard lock(gate);
    auto* preference = find<Preference>(handle);
    if (preference == nullptr) {
        return InvalidValue;
    }
    switch (attribute) {
        case 1:
            return read(preference->workspace, value, bytes) ? Success : InvalidValue;
        case 3:
            return read(preference->reductions, value, bytes) ? Success : InvalidValue;
        case 5:
        case 6:
        case 7:
        case 8:
            return read(preference->alignment[attribute - 5], value, bytes) ? Success : InvalidValue;
        default:
            return InvalidValue;
    }
}

STANDIN_EXPORT int cublasLtMatmulAlgoGetHeuristic(void* handle, void* product, void* a, void* b, void* c, void* d,
                                                  void* preference_, int asked, Heuristic* results, int* found) {
    const std::lock_guard lock(gate);
    const auto* preference = find<Preference>(preference_);
    Shape shape;
    if (find<Handle>(handle) == nullptr || preference == nullptr || asked < 1 || results == nullptr ||
        found == nullptr || !shape.resolve(product, a, b, c, d)) {
        return InvalidValue;
    }
    counts[3]++;
    counts[5] = preference->reductions;
    *found = 0;
    if (choice_answer != Success) {
        return choice_answer;
    }
    std::memset(results, 0, sizeof(Heuristic));
    results->algorithm.data[0] = shape.mark();
    for (int i = 0; i < 4; i++) {
        results->algorithm.data[1 + i] = preference->alignment[i];
    }
    results->workspace = preference->workspace >= Workspace ? Workspace : 0;
    results->algorithm.data[5] = results->workspace;
    *found = 1;
    return Success;
}

STANDIN_EXPORT int cublasLtMatmul(void* handle, void* product, const void* alpha, std::uint64_t a, void* a_layout,
                                  std::uint64_t b, void* b_layout, const void* beta, std::uint64_t c, void* c_layout,
                                  std::uint64_t d, void* d_layout, const Algorithm* algorithm, std::uint64_t workspace,
                                  std::size_t workspace_bytes, void* stream) {
    const std::lock_guard lock(gate);
    Shape shape;
    if (find<Handle>(handle) == nullptr || alpha == nullptr || beta == nullptr || algorithm == nullptr ||
        !shape.resolve(product, a_layout, b_layout, c_layout, d_layout) || algorithm->data[0] != shape.mark()) {
        return InvalidValue;
    }
    if (product_answer != Success) {
        return product_answer;
    }
    // An algorithm relies on the alignment and the workspace that it was chosen for.
    const std::uint64_t addresses[4] = {a, b, c, d};
    for (int i = 0; i < 4; i++) {
        if (addresses[i] == 0 || algorithm->data[1 + i] == 0 || addresses[i] % algorithm->data[1 + i] != 0) {
            return InvalidValue;
        }
    }
    if (workspace_bytes < algorithm->data[5] || (algorithm->data[5] > 0 && (workspace == 0 || workspace % 256 != 0))) {
        return InvalidValue;
    }
    float scale, kept;
    std::memcpy(&scale, alpha, sizeof(float));
    std::memcpy(&kept, beta, sizeof(float));
    if (cuStreamSynchronize(stream) != 0) {
        return ExecutionFailed;
    }
    // The library writes its workspace, so one that lies over an operand shows.
    const std::vector<std::uint8_t> scribble(algorithm->data[5], 0xFF);
    if (!scribble.empty() && cuMemcpyHtoD_v2(workspace, scribble.data(), scribble.size()) != 0) {
        return ExecutionFailed;
    }
    if (!multiply(shape, scale, a, b, kept, c, d)) {
        return ExecutionFailed;
    }
    counts[4]++;
    return Success;
}
