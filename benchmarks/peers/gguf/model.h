// The shape of a LLaMA-family model, and where its weights come from.
#pragma once

#include <cstdint>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "json.h"

namespace peers {

struct ModelShape {
    int64_t layers, width, heads, kv_heads, head_dim, mlp, vocab, context;
    double norm_epsilon, rope_theta;
    bool tied;
};

// Rows of a named Hugging Face tensor as floats; a vector is one row.
class WeightSource {
  public:
    virtual ~WeightSource() = default;

    // Writes rows [first, first + count) of a tensor of rows x columns to `out`.
    virtual void read(const std::string& name, int64_t rows, int64_t columns, int64_t first, int64_t count,
                      float* out) = 0;
};

inline std::string read_text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot open " + path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline ModelShape random_shape(const std::string& name) {
    if (name == "tinyllama") return {22, 2048, 32, 4, 64, 5632, 32000, 2048, 1e-5, 10000, false};
    if (name == "small") return {12, 768, 12, 12, 64, 2048, 32000, 2048, 1e-5, 10000, false};
    throw std::runtime_error("--random must be tinyllama or small, not '" + name + "'");
}

// Reads config.json; refuses what llama.cpp's "llama" architecture would compute differently.
inline ModelShape shape_from_config(const std::string& path) {
    Json config = JsonParser::parse(read_text(path), path);
    auto number = [&](const char* field, double fallback) {
        const Json* value = config.find(field);
        if (value && value->kind == Json::Kind::Number) return value->number;
        if (fallback < 0) throw std::runtime_error(path + ": no number in field '" + field + "'");
        return fallback;
    };
    auto is_true = [&](const char* field) {
        const Json* value = config.find(field);
        return value && value->boolean;
    };

    const Json* type = config.find("model_type");
    if (type && type->string != "llama" && type->string != "mistral")
        throw std::runtime_error(path + ": model_type '" + type->string + "' is not a LLaMA shape");
    if (is_true("attention_bias") || is_true("mlp_bias"))
        throw std::runtime_error(path + ": biases in the linear layers are not supported");
    if (config.find("rope_scaling")) throw std::runtime_error(path + ": rope_scaling is not supported");

    ModelShape shape{};
    shape.layers = static_cast<int64_t>(number("num_hidden_layers", -1));
    shape.width = static_cast<int64_t>(number("hidden_size", -1));
    shape.heads = static_cast<int64_t>(number("num_attention_heads", -1));
    shape.mlp = static_cast<int64_t>(number("intermediate_size", -1));
    shape.vocab = static_cast<int64_t>(number("vocab_size", -1));
    if (shape.layers < 1 || shape.width < 1 || shape.heads < 1 || shape.mlp < 1 || shape.vocab < 1)
        throw std::runtime_error(path + ": a size is below 1");
    shape.kv_heads = static_cast<int64_t>(number("num_key_value_heads", static_cast<double>(shape.heads)));
    shape.head_dim = static_cast<int64_t>(number("head_dim", static_cast<double>(shape.width / shape.heads)));
    shape.context = static_cast<int64_t>(number("max_position_embeddings", 2048));
    shape.norm_epsilon = number("rms_norm_eps", 1e-6);
    shape.rope_theta = number("rope_theta", 10000);
    shape.tied = is_true("tie_word_embeddings");
    if (shape.kv_heads < 1 || shape.heads % shape.kv_heads != 0 || shape.head_dim < 2 || shape.head_dim % 2 != 0)
        throw std::runtime_error(path + ": num_key_value_heads or head_dim does not fit num_attention_heads");
    return shape;
}

}  // namespace peers
