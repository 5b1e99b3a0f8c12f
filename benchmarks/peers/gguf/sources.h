// Weight sources: a folder of safetensors files, and seeded random numbers.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <memory>
#include <set>

#include "formats.h"
#include "model.h"

namespace peers {

// A whole file, mapped for reading.
class MappedFile {
  public:
    explicit MappedFile(const std::string& path) {
        int descriptor = open(path.c_str(), O_RDONLY);
        if (descriptor < 0) throw std::runtime_error("cannot open " + path);
        struct stat info {};
        bool known = fstat(descriptor, &info) == 0 && info.st_size > 0;
        size_ = known ? static_cast<size_t>(info.st_size) : 0;
        void* mapped = known ? mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0) : MAP_FAILED;
        close(descriptor);
        if (mapped == MAP_FAILED) throw std::runtime_error("cannot map " + path);
        data_ = static_cast<const uint8_t*>(mapped);
    }
    ~MappedFile() { munmap(const_cast<uint8_t*>(data_), size_); }
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    const uint8_t* data() const { return data_; }
    size_t size() const { return size_; }

  private:
    const uint8_t* data_ = nullptr;
    size_t size_ = 0;
};

// model.safetensors, or the shards that model.safetensors.index.json names.
class SafetensorsSource : public WeightSource {
  public:
    explicit SafetensorsSource(const std::string& folder) {
        std::string index = folder + "/model.safetensors.index.json";
        if (access(index.c_str(), R_OK) != 0) {
            add_file(folder + "/model.safetensors");
            return;
        }
        Json json = JsonParser::parse(read_text(index), index);
        const Json* map = json.find("weight_map");
        if (!map) throw std::runtime_error(index + ": no field 'weight_map'");
        std::set<std::string> shards;
        for (const auto& [name, file] : map->members) shards.insert(file.string);
        for (const auto& shard : shards) add_file(folder + "/" + shard);
    }

    void read(const std::string& name, int64_t rows, int64_t columns, int64_t first, int64_t count,
              float* out) override {
        auto it = tensors_.find(name);
        if (it == tensors_.end()) throw std::runtime_error("the checkpoint has no tensor " + name);
        const Tensor& tensor = it->second;
        size_t width = tensor.dtype == "F32" ? 4 : 2;
        if (tensor.size != static_cast<size_t>(rows * columns) * width)
            throw std::runtime_error(name + " has " + std::to_string(tensor.size / width) +
                                     " values, config.json asks for " + std::to_string(rows * columns));
        const uint8_t* at = tensor.data + first * columns * width;
        int64_t values = count * columns;
        if (tensor.dtype == "F32") {
            std::memcpy(out, at, values * 4);
            return;
        }
        bool brain = tensor.dtype == "BF16";
        for (int64_t i = 0; i < values; ++i) {
            uint16_t bits;
            std::memcpy(&bits, at + 2 * i, 2);
            out[i] = brain ? bf16_to_float(bits) : f16_to_float(bits);
        }
    }

  private:
    struct Tensor {
        std::string dtype;
        const uint8_t* data;
        size_t size;
    };

    void add_file(const std::string& path) {
        auto file = std::make_unique<MappedFile>(path);
        uint64_t header = 0;
        if (file->size() >= 8) std::memcpy(&header, file->data(), 8);
        if (file->size() < 8 || header > file->size() - 8)
            throw std::runtime_error(path + ": the header is longer than the file");
        std::string_view text(reinterpret_cast<const char*>(file->data()) + 8, header);
        const uint8_t* body = file->data() + 8 + header;
        size_t body_size = file->size() - 8 - header;
        for (const auto& [name, entry] : JsonParser::parse(text, path).members) {
            if (name == "__metadata__") continue;
            const Json *dtype = entry.find("dtype"), *span = entry.find("data_offsets");
            if (!dtype || !span || span->items.size() != 2)
                throw std::runtime_error(path + ": tensor " + name + " lacks dtype or data_offsets");
            double begin = span->items[0].number, end = span->items[1].number;
            if (!(begin >= 0 && end >= begin && end <= static_cast<double>(body_size)))
                throw std::runtime_error(path + ": tensor " + name + " lies outside the file");
            if (dtype->string != "F32" && dtype->string != "F16" && dtype->string != "BF16")
                throw std::runtime_error(path + ": tensor " + name + " has dtype " + dtype->string +
                                         "; F32, F16 and BF16 are read");
            tensors_[name] = {dtype->string, body + static_cast<size_t>(begin), static_cast<size_t>(end - begin)};
        }
        files_.push_back(std::move(file));
    }

    std::vector<std::unique_ptr<MappedFile>> files_;
    std::map<std::string, Tensor> tensors_;
};

// Bell-shaped weights of standard deviation 0.02 that depend on the tensor's name and the index alone; norms are one.
class RandomSource : public WeightSource {
  public:
    void read(const std::string& name, int64_t rows, int64_t columns, int64_t first, int64_t count,
              float* out) override {
        if (rows == 1) {
            std::fill(out, out + columns * count, 1.0f);
            return;
        }
        uint64_t seed = 0xCBF29CE484222325ull;  // FNV-1a of the name
        for (char c : name) seed = (seed ^ static_cast<uint8_t>(c)) * 0x100000001B3ull;
        uint64_t start = static_cast<uint64_t>(first * columns);
        for (int64_t i = 0; i < count * columns; ++i) out[i] = bell(seed + (start + i) * 0x9E3779B97F4A7C15ull);
    }

  private:
    // SplitMix64's finaliser; four 16-bit uniforms added up are close enough to a normal variable for timing.
    static float bell(uint64_t z) {
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ z >> 27) * 0x94D049BB133111EBull;
        z ^= z >> 31;
        int32_t sum = static_cast<int32_t>((z & 0xFFFF) + (z >> 16 & 0xFFFF) + (z >> 32 & 0xFFFF) + (z >> 48));
        constexpr float kDeviation = 65536.0f * 0.57735027f;  // sqrt(4 / 12) of a 16-bit uniform
        return static_cast<float>(sum - 131070) * (0.02f / kDeviation);
    }
};

}  // namespace peers
