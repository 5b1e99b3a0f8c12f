// make_gguf: a Hugging Face checkpoint folder (or random weights of a named shape) to a GGUF file for llama.cpp.
//
//   make_gguf --model DIR --type f32|f16|bf16|q8_0 --output FILE.gguf
//   make_gguf --random tinyllama|small --type ... --output FILE.gguf
//
// The file carries no tokenizer ("no_vocab"): the benchmark feeds token ids.
// Build: g++ -std=c++20 -O3 -march=native make_gguf.cpp -o make_gguf

#include <algorithm>
#include <cstdio>
#include <memory>

#include "formats.h"
#include "gguf_writer.h"
#include "model.h"
#include "sources.h"

namespace peers {

struct TensorPlan {
    std::string from, to;
    int64_t rows, columns;
    int64_t rotary_heads;  // 0: rows stay in place
};

static std::vector<TensorPlan> plan_tensors(const ModelShape& shape) {
    int64_t width = shape.width, query = shape.heads * shape.head_dim, key = shape.kv_heads * shape.head_dim;
    std::vector<TensorPlan> plan{{"model.embed_tokens.weight", "token_embd.weight", shape.vocab, width, 0},
                                 {"model.norm.weight", "output_norm.weight", 1, width, 0}};
    if (!shape.tied) plan.push_back({"lm_head.weight", "output.weight", shape.vocab, width, 0});
    for (int64_t layer = 0; layer < shape.layers; ++layer) {
        std::string from = "model.layers." + std::to_string(layer) + ".", to = "blk." + std::to_string(layer) + ".";
        plan.push_back({from + "input_layernorm.weight", to + "attn_norm.weight", 1, width, 0});
        plan.push_back({from + "self_attn.q_proj.weight", to + "attn_q.weight", query, width, shape.heads});
        plan.push_back({from + "self_attn.k_proj.weight", to + "attn_k.weight", key, width, shape.kv_heads});
        plan.push_back({from + "self_attn.v_proj.weight", to + "attn_v.weight", key, width, 0});
        plan.push_back({from + "self_attn.o_proj.weight", to + "attn_output.weight", width, query, 0});
        plan.push_back({from + "post_attention_layernorm.weight", to + "ffn_norm.weight", 1, width, 0});
        plan.push_back({from + "mlp.gate_proj.weight", to + "ffn_gate.weight", shape.mlp, width, 0});
        plan.push_back({from + "mlp.up_proj.weight", to + "ffn_up.weight", shape.mlp, width, 0});
        plan.push_back({from + "mlp.down_proj.weight", to + "ffn_down.weight", width, shape.mlp, 0});
    }
    return plan;
}

static void add_metadata(GgufWriter& writer, const ModelShape& shape, TensorType type) {
    auto size = [](int64_t value) { return static_cast<uint32_t>(value); };
    uint32_t file_type = type == TensorType::F32 ? 0 : type == TensorType::F16 ? 1 : type == TensorType::Q8_0 ? 7 : 32;
    writer.add("general.architecture", std::string("llama"));
    writer.add("general.name", std::string("benchmark"));
    writer.add("general.file_type", file_type);
    if (type == TensorType::Q8_0) writer.add("general.quantization_version", uint32_t{2});
    writer.add("llama.vocab_size", size(shape.vocab));
    writer.add("llama.context_length", size(shape.context));
    writer.add("llama.embedding_length", size(shape.width));
    writer.add("llama.block_count", size(shape.layers));
    writer.add("llama.feed_forward_length", size(shape.mlp));
    writer.add("llama.attention.head_count", size(shape.heads));
    writer.add("llama.attention.head_count_kv", size(shape.kv_heads));
    writer.add("llama.attention.key_length", size(shape.head_dim));
    writer.add("llama.attention.value_length", size(shape.head_dim));
    writer.add("llama.attention.layer_norm_rms_epsilon", static_cast<float>(shape.norm_epsilon));
    writer.add("llama.rope.dimension_count", size(shape.head_dim));
    writer.add("llama.rope.freq_base", static_cast<float>(shape.rope_theta));
    writer.add("tokenizer.ggml.model", std::string("no_vocab"));
}

// Hugging Face rotates dimension i with i + d/2; llama.cpp's "llama" rotates 2i with 2i + 1, so each head's rows
// interleave.
static void interleave_heads(const std::vector<float>& in, std::vector<float>& out, int64_t heads, int64_t columns,
                             int64_t rows) {
    int64_t dim = rows / heads;
    for (int64_t row = 0; row < rows; ++row) {
        int64_t head = row / dim, within = row % dim;
        int64_t source = head * dim + within % 2 * (dim / 2) + within / 2;
        std::copy_n(in.begin() + source * columns, columns, out.begin() + row * columns);
    }
}

static void write_tensor(GgufWriter& writer, WeightSource& source, const TensorPlan& tensor, TensorType type) {
    // A permuted tensor is handled whole; the others in slices, so that memory stays small.
    int64_t slice = tensor.rotary_heads ? tensor.rows : std::min<int64_t>(tensor.rows, 256);
    std::vector<float> values(slice * tensor.columns), permuted;
    std::vector<uint8_t> bytes(slice * row_bytes(type, tensor.columns));
    for (int64_t first = 0; first < tensor.rows; first += slice) {
        int64_t count = std::min(slice, tensor.rows - first);
        source.read(tensor.from, tensor.rows, tensor.columns, first, count, values.data());
        if (tensor.rotary_heads) {
            permuted.resize(values.size());
            interleave_heads(values, permuted, tensor.rotary_heads, tensor.columns, tensor.rows);
        }
        encode(type, (tensor.rotary_heads ? permuted : values).data(), count * tensor.columns, bytes.data());
        writer.append(bytes.data(), count * row_bytes(type, tensor.columns));
    }
    writer.end_tensor();
}

static void convert(const ModelShape& shape, WeightSource& source, TensorType type, const std::string& output) {
    GgufWriter writer(output);
    add_metadata(writer, shape, type);
    auto plan = plan_tensors(shape);
    // Norms stay F32 in every llama.cpp file.
    auto type_of = [&](const TensorPlan& tensor) { return tensor.rows == 1 ? TensorType::F32 : type; };
    for (const auto& tensor : plan) {
        if (type_of(tensor) == TensorType::Q8_0 && tensor.columns % kQ8Block != 0)
            throw std::runtime_error(tensor.from + ": " + std::to_string(tensor.columns) +
                                     " columns are no multiple of 32, as q8_0 needs");
        writer.add_tensor(tensor.to, type_of(tensor), tensor.rows, tensor.columns);
    }
    writer.begin_data();
    for (const auto& tensor : plan) write_tensor(writer, source, tensor, type_of(tensor));
    writer.finish();
}

static int run(int argc, char** argv) {
    std::string model, random, type, output;
    for (int i = 1; i < argc; i += 2) {
        std::string flag = argv[i];
        std::string* target = flag == "--model"    ? &model
                              : flag == "--random" ? &random
                              : flag == "--type"   ? &type
                              : flag == "--output" ? &output
                                                   : nullptr;
        if (!target || i + 1 >= argc) throw std::runtime_error("unknown option or missing value: " + flag);
        *target = argv[i + 1];
    }
    if (model.empty() == random.empty() || type.empty() || output.empty())
        throw std::runtime_error("usage: make_gguf (--model DIR | --random tinyllama|small) --type TYPE --output FILE");

    TensorType tensor = tensor_type(type);
    std::unique_ptr<WeightSource> source;
    ModelShape shape{};
    if (model.empty()) {
        shape = random_shape(random);
        source = std::make_unique<RandomSource>();
    } else {
        shape = shape_from_config(model + "/config.json");
        source = std::make_unique<SafetensorsSource>(model);
    }
    convert(shape, *source, tensor, output);
    return 0;
}

}  // namespace peers

int main(int argc, char** argv) {
    try {
        return peers::run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "make_gguf: %s\n", error.what());
        return 2;
    }
}
