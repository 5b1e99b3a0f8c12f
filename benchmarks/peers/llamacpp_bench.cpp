// Farm's best-of-n workload on llama.cpp's public API: one prompt is prefilled once, its K/V is shared by n sequences,
// and every sequence decodes new tokens in one batch. Prints one JSON object.
//
//   decode      token ids are drawn beforehand; the logits of every row are computed and left alone
//   sampled     llama.cpp's own sampler (temperature 1, the full vocabulary) chooses every token
//   end to end  prompt, K/V sharing, decode and sampling
//   prefill     one long prompt
//
// llama.cpp is given its best setting: flash attention on and off, unified and per-sequence K/V, and, where the version
// has it, sampling inside the graph are tried in short pilot runs, and the fastest is measured. CPU only.
// `llamacpp.sh` builds and runs this file.

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "ggml-backend.h"
#include "llama.h"

struct Options {
    std::string model;
    int sequences = 16, prompt = 128, fresh = 128, prefill = 512, threads = 2, runs = 5;
    bool sampled = true;
    std::vector<bool> flash{false, true}, unified{false, true};  // settings to try
};

enum class Choice { Fixed, HostSampler, GraphSampler };

struct Setting {
    bool flash, unified;
    Choice choice;
};

using ModelPtr = std::unique_ptr<llama_model, decltype(&llama_model_free)>;
using ContextPtr = std::unique_ptr<llama_context, decltype(&llama_free)>;
using SamplerPtr = std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)>;

static double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    size_t half = values.size() / 2;
    return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// A fixed sequence of ids, the same in every run.
static llama_token token_at(int vocab, int index) {
    return static_cast<llama_token>((index * 7919LL + 17) % vocab);
}

static SamplerPtr make_sampler(uint32_t seed) {
    llama_sampler_chain_params params = llama_sampler_chain_default_params();
    params.no_perf = true;
    SamplerPtr chain(llama_sampler_chain_init(params), llama_sampler_free);
    llama_sampler_chain_add(chain.get(), llama_sampler_init_temp(1.0f));
    llama_sampler_chain_add(chain.get(), llama_sampler_init_dist(seed));
    return chain;
}

// One context with its batch and one sampler chain per sequence.
class Runner {
  public:
    Runner(llama_model* model, const Options& options, Setting setting, int sequences, int context_tokens)
        : setting_(setting), vocab_(llama_vocab_n_tokens(llama_model_get_vocab(model))) {
        for (int s = 0; s < sequences; ++s) samplers_.push_back(make_sampler(1000 + s));
        llama_context_params params = llama_context_default_params();
        params.n_ctx = (context_tokens + 255) / 256 * 256;
        params.n_batch = params.n_ubatch = std::max({512, options.prompt, options.prefill, sequences});
        params.n_seq_max = sequences;
        params.n_threads = params.n_threads_batch = options.threads;
        params.flash_attn_type = setting.flash ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
        params.kv_unified = setting.unified;
        params.offload_kqv = params.op_offload = false;
        params.no_perf = true;
#ifdef HAVE_GRAPH_SAMPLER
        std::vector<llama_sampler_seq_config> chains;
        for (int s = 0; s < sequences; ++s) chains.push_back({s, samplers_[s].get()});
        if (setting.choice == Choice::GraphSampler) {
            params.samplers = chains.data();
            params.n_samplers = chains.size();
        }
#endif
        context_.reset(llama_init_from_model(model, params));
        if (!context_) throw std::runtime_error("llama.cpp could not create a context");
        batch_ = llama_batch_init(static_cast<int>(params.n_batch), 0, 1);
    }
    ~Runner() {
        llama_batch_free(batch_);
    }
    Runner(const Runner&) = delete;
    Runner& operator=(const Runner&) = delete;

    const Setting& setting() const {
        return setting_;
    }

    // Seconds to read a prompt of that many tokens into sequence 0.
    double prefill(int tokens) {
        llama_memory_clear(llama_get_memory(context_.get()), true);
        batch_.n_tokens = 0;
        for (int i = 0; i < tokens; ++i) add(token_at(vocab_, i), i, 0, i == tokens - 1);
        double start = now();
        decode();
        return now() - start;
    }

    // Shares sequence 0 with the others and decodes `steps` tokens of each; returns seconds.
    double generate(int prompt, int steps) {
        int sequences = static_cast<int>(samplers_.size());
        double start = now();
        for (int s = 1; s < sequences; ++s) llama_memory_seq_cp(llama_get_memory(context_.get()), 0, s, -1, -1);
        std::vector<llama_token> tokens(sequences);
        for (int s = 0; s < sequences; ++s) tokens[s] = token_at(vocab_, 31 * s);
        for (int step = 0; step < steps; ++step) {
            batch_.n_tokens = 0;
            for (int s = 0; s < sequences; ++s) add(tokens[s], prompt + step, s, true);
            decode();
            for (int s = 0; s < sequences; ++s)
                tokens[s] = setting_.choice == Choice::Fixed
                                ? token_at(vocab_, step * sequences + s)
                                : llama_sampler_sample(samplers_[s].get(), context_.get(), s);
        }
        return now() - start;
    }

  private:
    void add(llama_token token, int position, int sequence, bool wants_logits) {
        int i = batch_.n_tokens++;
        batch_.token[i] = token;
        batch_.pos[i] = position;
        batch_.n_seq_id[i] = 1;
        batch_.seq_id[i][0] = sequence;
        batch_.logits[i] = wants_logits;
    }

    void decode() {
        if (llama_decode(context_.get(), batch_) != 0) throw std::runtime_error("llama_decode failed");
        llama_synchronize(context_.get());
    }

    Setting setting_;
    int vocab_;
    std::vector<SamplerPtr> samplers_;  // outlives the context, which may refer to them
    ContextPtr context_{nullptr, llama_free};
    llama_batch batch_{};
};

// Keeps the candidate with the least median time; candidates take turns, so that a noisy moment hits all of them.
static std::unique_ptr<Runner> fastest(std::vector<std::unique_ptr<Runner>> candidates,
                                       const std::function<double(Runner&)>& pilot) {
    constexpr int kTurns = 3;
    std::vector<std::vector<double>> times(candidates.size());
    for (int turn = 0; turn <= kTurns && candidates.size() > 1; ++turn)
        for (size_t i = 0; i < candidates.size(); ++i) {
            double seconds = pilot(*candidates[i]);
            if (turn > 0) times[i].push_back(seconds);  // the first turn warms up
        }
    size_t best = 0;
    for (size_t i = 1; i < candidates.size(); ++i)
        if (median(times[i]) < median(times[best])) best = i;
    return std::move(candidates[best]);
}

static const char* name_of(Choice choice) {
    return choice == Choice::Fixed ? "none" : choice == Choice::HostSampler ? "host" : "graph";
}

static std::string describe(const Setting& setting) {
    char text[128];
    std::snprintf(text, sizeof text, "{\"flash_attention\": %s, \"unified_kv\": %s, \"sampler\": \"%s\"}",
                  setting.flash ? "true" : "false", setting.unified ? "true" : "false", name_of(setting.choice));
    return text;
}

static void print_rate(const char* name, const std::vector<double>& rates, const Setting& setting) {
    std::printf("  \"%s_tokens_per_second\": %.2f,\n  \"%s_runs\": [", name, median(rates), name);
    for (size_t i = 0; i < rates.size(); ++i) std::printf("%s%.2f", i ? ", " : "", rates[i]);
    std::printf("],\n  \"%s_setting\": %s,\n", name, describe(setting).c_str());
    std::fflush(stdout);
}

static void measure_prefill(llama_model* model, const Options& options) {
    std::vector<std::unique_ptr<Runner>> candidates;
    for (bool flash : options.flash)
        candidates.push_back(
            std::make_unique<Runner>(model, options, Setting{flash, true, Choice::Fixed}, 1, options.prefill));
    auto best = fastest(std::move(candidates), [&](Runner& runner) { return runner.prefill(options.prefill / 4); });
    best->prefill(options.prefill);
    std::vector<double> rates;
    for (int run = 0; run < options.runs; ++run) rates.push_back(options.prefill / best->prefill(options.prefill));
    print_rate("prefill", rates, best->setting());
}

static std::unique_ptr<Runner> generation_runner(llama_model* model, const Options& options, Setting setting) {
    int n = options.sequences;
    int tokens =
        setting.unified ? options.prompt + n * options.fresh : n * ((options.prompt + options.fresh + 255) / 256 * 256);
    return std::make_unique<Runner>(model, options, setting, n, tokens);
}

static void measure_generation(llama_model* model, const Options& options) {
    int steps = std::max(1, options.fresh / 8);
    double generated = static_cast<double>(options.sequences) * options.fresh;
    auto pilot = [&](Runner& runner) {
        runner.prefill(options.prompt);
        return runner.generate(options.prompt, steps);
    };

    std::vector<std::unique_ptr<Runner>> candidates;
    for (bool flash : options.flash)
        for (bool unified : options.unified)
            candidates.push_back(generation_runner(model, options, {flash, unified, Choice::Fixed}));
    auto best = fastest(std::move(candidates), pilot);
    Setting setting = best->setting();
    std::vector<double> rates;
    for (int run = 0; run < options.runs; ++run) {
        best->prefill(options.prompt);
        rates.push_back(generated / best->generate(options.prompt, options.fresh));
    }
    print_rate("decode", rates, setting);
    if (!options.sampled) return;

    best.reset();
    candidates.clear();
    for (Choice choice : {Choice::HostSampler, Choice::GraphSampler}) {
#ifndef HAVE_GRAPH_SAMPLER
        if (choice == Choice::GraphSampler) continue;
#endif
        candidates.push_back(generation_runner(model, options, {setting.flash, setting.unified, choice}));
    }
    best = fastest(std::move(candidates), pilot);
    std::vector<double> sampled, end_to_end;
    for (int run = 0; run < options.runs; ++run) {
        double prompt = best->prefill(options.prompt), rest = best->generate(options.prompt, options.fresh);
        sampled.push_back(generated / rest);
        end_to_end.push_back(generated / (prompt + rest));
    }
    print_rate("sampled", sampled, best->setting());
    print_rate("end_to_end", end_to_end, best->setting());
}

static Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        std::string flag = argv[i];
        if (flag == "--no-sampled") {
            options.sampled = false;
            continue;
        }
        if (++i >= argc) throw std::runtime_error("no value after " + flag);
        int* number = flag == "-n"                 ? &options.sequences
                      : flag == "--prompt-tokens"  ? &options.prompt
                      : flag == "--new-tokens"     ? &options.fresh
                      : flag == "--prefill-tokens" ? &options.prefill
                      : flag == "--threads"        ? &options.threads
                      : flag == "--runs"           ? &options.runs
                                                   : nullptr;
        std::string value = argv[i];
        if (flag == "--model") {
            options.model = value;
        } else if (flag == "--flash" && (value == "on" || value == "off")) {
            options.flash = {value == "on"};
        } else if (flag == "--kv" && (value == "unified" || value == "split")) {
            options.unified = {value == "unified"};
        } else if (!number) {
            throw std::runtime_error("unknown option " + flag);
        } else {
            char* end = nullptr;
            long count = std::strtol(argv[i], &end, 10);
            if (*end || count < 1 || count > 1 << 20)
                throw std::runtime_error(flag + " needs a whole number from 1 up");
            *number = static_cast<int>(count);
        }
    }
    if (options.model.empty()) throw std::runtime_error("--model FILE.gguf is needed");
    if (options.sequences > static_cast<int>(llama_max_parallel_sequences()))
        throw std::runtime_error("-n is above what this llama.cpp allows");
    return options;
}

static void run(const Options& options) {
    llama_log_set(
        [](ggml_log_level level, const char* text, void*) {
            if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
        },
        nullptr);
    ggml_backend_load_all();
    llama_backend_init();
    llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = 0;
    ModelPtr model(llama_model_load_from_file(options.model.c_str(), params), llama_model_free);
    if (!model) throw std::runtime_error("llama.cpp cannot load " + options.model);

    char description[256] = "";
    llama_model_desc(model.get(), description, sizeof description);
    std::printf("{\n  \"model\": \"%s\",\n  \"weight_bytes\": %llu,\n  \"system\": \"%s\",\n", description,
                static_cast<unsigned long long>(llama_model_size(model.get())), llama_print_system_info());
    std::printf(
        "  \"threads\": %d, \"sequences\": %d, \"prompt_tokens\": %d, \"new_tokens\": %d, \"prefill_tokens\": %d,\n",
        options.threads, options.sequences, options.prompt, options.fresh, options.prefill);
    measure_prefill(model.get(), options);
    measure_generation(model.get(), options);
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::printf("  \"peak_rss_bytes\": %lld\n}\n", static_cast<long long>(usage.ru_maxrss) * 1024);
}

int main(int argc, char** argv) {
    try {
        run(parse(argc, argv));
        llama_backend_free();
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "llamacpp_bench: %s\n", error.what());
        return 2;
    }
}
