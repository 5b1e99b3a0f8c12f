// Writes a GGUF version 3 file: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "formats.h"

namespace peers {

// Declare the metadata and every tensor, call begin_data, then append the rows of each tensor in the same order.
class GgufWriter {
  public:
    explicit GgufWriter(const std::string& path) : path_(path), partial_(path + ".partial") {
        file_ = std::fopen(partial_.c_str(), "wb");
        if (!file_) throw std::runtime_error("cannot write " + partial_);
    }
    // A file that was not finished is removed, so that no half-written GGUF is left.
    ~GgufWriter() {
        if (file_) {
            std::fclose(file_);
            std::remove(partial_.c_str());
        }
    }
    GgufWriter(const GgufWriter&) = delete;
    GgufWriter& operator=(const GgufWriter&) = delete;

    void add(const std::string& key, uint32_t value) { add_scalar(key, 4, value); }
    void add(const std::string& key, float value) { add_scalar(key, 6, value); }
    void add(const std::string& key, const std::string& value) {
        put_string(metadata_, key);
        put(metadata_, uint32_t{8});
        put_string(metadata_, value);
        ++metadata_count_;
    }

    // `rows` is 1 for a vector.
    void add_tensor(const std::string& name, TensorType type, int64_t rows, int64_t columns) {
        put_string(infos_, name);
        put(infos_, uint32_t{rows == 1 ? 1u : 2u});
        put(infos_, static_cast<uint64_t>(columns));
        if (rows != 1) put(infos_, static_cast<uint64_t>(rows));
        put(infos_, static_cast<uint32_t>(type));
        put(infos_, static_cast<uint64_t>(data_size_));
        data_size_ += padded(rows * row_bytes(type, columns));
        ++tensor_count_;
    }

    void begin_data() {
        std::vector<uint8_t> head{'G', 'G', 'U', 'F'};
        put(head, uint32_t{3});
        put(head, tensor_count_);
        put(head, metadata_count_);
        head.insert(head.end(), metadata_.begin(), metadata_.end());
        head.insert(head.end(), infos_.begin(), infos_.end());
        head.resize(padded(head.size()));
        write(head.data(), head.size());
    }

    void append(const uint8_t* bytes, size_t size) {
        write(bytes, size);
        tensor_size_ += size;
    }

    void end_tensor() {
        static constexpr uint8_t kZeros[kAlignment] = {};
        write(kZeros, padded(tensor_size_) - tensor_size_);
        written_ += padded(tensor_size_);
        tensor_size_ = 0;
    }

    // Gives the finished file its name.
    void finish() {
        if (written_ != data_size_) throw std::logic_error("tensor data does not match its declaration");
        bool closed = std::fclose(file_) == 0;
        file_ = nullptr;
        if (!closed || std::rename(partial_.c_str(), path_.c_str()) != 0) {
            std::remove(partial_.c_str());
            throw std::runtime_error("cannot finish " + path_);
        }
    }

  private:
    static constexpr size_t kAlignment = 32;

    static size_t padded(size_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

    template <typename T>
    static void put(std::vector<uint8_t>& to, T value) {
        const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
        to.insert(to.end(), bytes, bytes + sizeof(T));
    }

    static void put_string(std::vector<uint8_t>& to, const std::string& text) {
        put(to, static_cast<uint64_t>(text.size()));
        to.insert(to.end(), text.begin(), text.end());
    }

    template <typename T>
    void add_scalar(const std::string& key, uint32_t kind, T value) {
        put_string(metadata_, key);
        put(metadata_, kind);
        put(metadata_, value);
        ++metadata_count_;
    }

    void write(const uint8_t* bytes, size_t size) {
        if (std::fwrite(bytes, 1, size, file_) != size) throw std::runtime_error("cannot write " + partial_);
    }

    std::string path_, partial_;
    std::FILE* file_ = nullptr;
    std::vector<uint8_t> metadata_, infos_;
    uint64_t metadata_count_ = 0, tensor_count_ = 0;
    size_t data_size_ = 0, tensor_size_ = 0, written_ = 0;
};

}  // namespace peers
