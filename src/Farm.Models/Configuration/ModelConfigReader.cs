using Farm.Core;
using Farm.Models.Checkpoints;

namespace Farm.Models.Configuration;

/// <summary>Parses config.json in the spelling of Hugging Face's LlamaConfig, MistralConfig and Qwen2Config.</summary>
internal static class ModelConfigReader
{
    // Far above any model, and low enough that products of two of them fit a long and widths fit an int.
    private const int MostWidth = 1 << 20, MostHeads = 1 << 12, MostHeadDim = 1 << 13, MostVocabulary = 1 << 24, MostLayers = 10_000;

    private static readonly Dictionary<string, string> TypeOfArchitecture = new(StringComparer.OrdinalIgnoreCase)
    {
        ["LlamaForCausalLM"] = "llama",
        ["MistralForCausalLM"] = "mistral",
        ["Qwen2ForCausalLM"] = "qwen2",
    };

    public static ModelConfig Load(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new BadInputException($"{folder}: there is no such folder.");
        }

        string path = Path.Combine(folder, "config.json");
        using var document = JsonFile.ReadObject(path);
        var fields = new JsonFields(document.RootElement, path);
        return WithGenerationConfig(Parse(fields, ModelType(fields)), folder);
    }

    /// <summary>Adds the end-of-sequence ids of generation_config.json, which come first: the Hugging Face generator heeds only those.</summary>
    public static ModelConfig WithGenerationConfig(ModelConfig config, string folder)
    {
        string path = Path.Combine(folder, "generation_config.json");
        if (!File.Exists(path))
        {
            return config;
        }

        using var document = JsonFile.ReadObject(path);
        var fields = new JsonFields(document.RootElement, path);
        return config with { EosIds = [.. InVocabulary(fields, "eos_token_id", config.VocabularySize).Union(config.EosIds)] };
    }

    /// <summary>Parses the fields of a decoder of a known type.</summary>
    public static ModelConfig Parse(JsonFields fields, string type)
    {
        RefuseUnsupported(fields, type);
        int hidden = fields.RequiredInteger("hidden_size", 1, MostWidth);
        int heads = fields.RequiredInteger("num_attention_heads", 1, MostHeads);
        int vocabulary = fields.RequiredInteger("vocab_size", 1, MostVocabulary);
        var rope = RopeReader.Read(fields);
        return new ModelConfig
        {
            ModelType = type,
            VocabularySize = vocabulary,
            HiddenSize = hidden,
            IntermediateSize = fields.RequiredInteger("intermediate_size", 1, MostWidth),
            Layers = fields.RequiredInteger("num_hidden_layers", 1, MostLayers),
            AttentionHeads = heads,
            KeyValueHeads = KeyValueHeads(fields, heads),
            HeadDim = HeadDim(fields, hidden, heads),
            RmsNormEpsilon = fields.Positive("rms_norm_eps") ?? 1e-6,
            RopeTheta = rope.Theta,
            RopeScaling = rope.Scaling,
            MaxPositionEmbeddings = MaxPositions(fields, type),
            TieWordEmbeddings = fields.Boolean("tie_word_embeddings") ?? false,
            AttentionBias = type == "qwen2" ? AttentionBias.QueryKeyValue
                : type == "llama" && fields.Boolean("attention_bias") == true ? AttentionBias.All : AttentionBias.None,
            MlpBias = type == "llama" && fields.Boolean("mlp_bias") == true,
            BosId = InVocabulary(fields, "bos_token_id", vocabulary).Count > 0 ? fields.TokenId("bos_token_id") : null,
            EosIds = InVocabulary(fields, "eos_token_id", vocabulary),
            PadId = fields.TokenId("pad_token_id"),
            TorchDType = (fields.Text("torch_dtype") ?? fields.Text("dtype")) switch
            {
                "float32" => DType.F32,
                "float16" => DType.F16,
                "bfloat16" => DType.BF16,
                _ => null,
            },
        };
    }

    private static string ModelType(JsonFields fields)
    {
        string? type = fields.Text("model_type");
        if (type is not null && TypeOfArchitecture.ContainsValue(type))
        {
            return type;
        }

        if (type == RewardModelConfig.Type)
        {
            throw fields.Bad("model_type", "is reward_model: this folder holds a reward model, which scores text but cannot write it");
        }

        var architectures = fields.Texts("architectures") ?? [];
        foreach (string architecture in architectures)
        {
            if (TypeOfArchitecture.TryGetValue(architecture, out string? known))
            {
                return known;
            }
        }

        string found = type ?? (architectures.Count > 0 ? architectures[0] : "");
        throw found.Length == 0
            ? fields.Bad("model_type", "is missing, and 'architectures' does not tell the architecture either")
            : fields.Bad(type is null ? "architectures" : "model_type", $"names the architecture '{found}', which is not supported; llama, mistral and qwen2 are");
    }

    private static void RefuseUnsupported(JsonFields fields, string type)
    {
        if (fields.Has("quantization_config"))
        {
            throw fields.Bad("quantization_config", "says that the weights are quantised, which cannot be read; use the checkpoint in F32, F16 or BF16");
        }

        if ((fields.Text("hidden_act") ?? "silu") is not ("silu" or "swish"))
        {
            throw fields.Bad("hidden_act", $"is '{fields.Text("hidden_act")}', which is not supported; silu is");
        }

        if (fields.Positive("partial_rotary_factor") is not (null or 1))
        {
            throw fields.Bad("partial_rotary_factor", "is not 1; rotary embeddings over a part of a head are not supported");
        }

        if (SlidingWindow(fields, type) is { } window)
        {
            throw fields.Bad(window, $"asks for sliding-window attention, shorter than the context of {MaxPositions(fields, type)} tokens, which is not supported");
        }
    }

    // The field by which a sliding window is in effect, null if none is. A LLaMA has none; Qwen2 files state a window and switch it off.
    private static string? SlidingWindow(JsonFields fields, string type)
    {
        if (type == "llama")
        {
            return null;
        }

        int? window = fields.Integer("sliding_window", 0, int.MaxValue);
        if (window >= MaxPositions(fields, type))
        {
            return null;
        }

        if (fields.Texts("layer_types")?.Contains("sliding_attention") == true)
        {
            return "layer_types";
        }

        bool used = type == "mistral"
            ? window is not null
            : fields.Boolean("use_sliding_window") == true
                && !(fields.Integer("max_window_layers", 0, int.MaxValue) >= fields.RequiredInteger("num_hidden_layers", 1, MostLayers));
        return !used ? null : type == "mistral" ? "sliding_window" : "use_sliding_window";
    }

    // What the field is when absent, per family, follows the configuration classes; the first LLaMA conversions called it max_sequence_length.
    private static int MaxPositions(JsonFields fields, string type) =>
        fields.Integer("max_position_embeddings", 1, int.MaxValue) ?? fields.Integer("max_sequence_length", 1, int.MaxValue)
        ?? type switch { "mistral" => 131072, "qwen2" => 32768, _ => 2048 };

    private static int KeyValueHeads(JsonFields fields, int heads)
    {
        int keyValueHeads = fields.Integer("num_key_value_heads", 1, MostHeads) ?? heads;
        return heads % keyValueHeads == 0
            ? keyValueHeads
            : throw fields.Bad("num_key_value_heads", $"is {keyValueHeads}, which does not divide num_attention_heads ({heads})");
    }

    private static int HeadDim(JsonFields fields, int hidden, int heads)
    {
        int? stated = fields.Integer("head_dim", 1, MostHeadDim);
        if (stated is null && hidden % heads != 0)
        {
            throw fields.Bad("hidden_size", $"is {hidden}, which num_attention_heads ({heads}) does not divide, and there is no head_dim");
        }

        int headDim = stated ?? hidden / heads;
        return headDim % 2 == 0
            ? headDim
            : throw fields.Bad(stated is null ? "hidden_size" : "head_dim", $"gives heads of {headDim}; rotary embeddings need an even width");
    }

    private static IReadOnlyList<int> InVocabulary(JsonFields fields, string field, int vocabulary)
    {
        var ids = fields.TokenIds(field);
        return ids.All(id => id < vocabulary)
            ? ids
            : throw fields.Bad(field, $"names token {ids.First(id => id >= vocabulary)}, past the vocabulary of {vocabulary}");
    }
}
