using System.Buffers;
using System.Text.Json;
using Farm.Core;
using Farm.Models.Checkpoints;

namespace Farm.Models.Configuration;

/// <summary>Writes config.json in the spelling of Hugging Face.</summary>
internal static class ModelConfigWriter
{
    public static void Save(ModelConfig config, string folder) => Save(folder, json =>
    {
        json.WriteStartArray("architectures");
        json.WriteStringValue(config.ModelType switch
        {
            "mistral" => "MistralForCausalLM",
            "qwen2" => "Qwen2ForCausalLM",
            _ => "LlamaForCausalLM",
        });
        json.WriteEndArray();
        json.WriteString("model_type", config.ModelType);
        WriteFields(json, config);
    });

    /// <summary>Writes config.json of the fields that <paramref name="write"/> gives.</summary>
    public static void Save(string folder, Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        AtomicFile.Write(Path.Combine(folder, "config.json"), 0, stream =>
        {
            stream.Write(buffer.WrittenSpan);
            stream.WriteByte((byte)'\n');
        });
    }

    /// <summary>Writes everything but the model's type.</summary>
    public static void WriteFields(Utf8JsonWriter json, ModelConfig config)
    {
        json.WriteString("hidden_act", "silu");
        json.WriteNumber("vocab_size", config.VocabularySize);
        json.WriteNumber("hidden_size", config.HiddenSize);
        json.WriteNumber("intermediate_size", config.IntermediateSize);
        json.WriteNumber("num_hidden_layers", config.Layers);
        json.WriteNumber("num_attention_heads", config.AttentionHeads);
        json.WriteNumber("num_key_value_heads", config.KeyValueHeads);
        json.WriteNumber("head_dim", config.HeadDim);
        json.WriteNumber("rms_norm_eps", config.RmsNormEpsilon);
        json.WriteNumber("max_position_embeddings", config.MaxPositionEmbeddings);
        json.WriteNumber("rope_theta", config.RopeTheta);
        WriteScaling(json, config.RopeScaling);
        json.WriteBoolean("tie_word_embeddings", config.TieWordEmbeddings);
        if (config.ModelType == "llama")
        {
            json.WriteBoolean("attention_bias", config.AttentionBias == AttentionBias.All);
            json.WriteBoolean("mlp_bias", config.MlpBias);
        }
        else if (config.ModelType == "mistral")
        {
            // Absent, other readers take the family's own default, which is a window.
            json.WriteNull("sliding_window");
        }

        WriteId(json, "bos_token_id", config.BosId);
        WriteEos(json, config.EosIds);
        WriteId(json, "pad_token_id", config.PadId);
        if (config.TorchDType is { } type)
        {
            json.WriteString("torch_dtype", type switch { DType.BF16 => "bfloat16", DType.F16 => "float16", _ => "float32" });
        }
    }

    private static void WriteScaling(Utf8JsonWriter json, RopeScaling scaling)
    {
        if (scaling.Kind == RopeScalingKind.None)
        {
            json.WriteNull("rope_scaling");
            return;
        }

        json.WriteStartObject("rope_scaling");
        json.WriteString("rope_type", scaling.Kind == RopeScalingKind.Linear ? "linear" : "llama3");
        json.WriteNumber("factor", scaling.Factor);
        if (scaling.Kind == RopeScalingKind.Llama3)
        {
            json.WriteNumber("low_freq_factor", scaling.LowFrequencyFactor);
            json.WriteNumber("high_freq_factor", scaling.HighFrequencyFactor);
            json.WriteNumber("original_max_position_embeddings", scaling.OriginalMaxPositions);
        }

        json.WriteEndObject();
    }

    private static void WriteId(Utf8JsonWriter json, string field, int? id)
    {
        if (id is { } value)
        {
            json.WriteNumber(field, value);
        }
        else
        {
            json.WriteNull(field);
        }
    }

    private static void WriteEos(Utf8JsonWriter json, IReadOnlyList<int> ids)
    {
        if (ids.Count <= 1)
        {
            WriteId(json, "eos_token_id", ids.Count == 1 ? ids[0] : null);
            return;
        }

        json.WriteStartArray("eos_token_id");
        foreach (int id in ids)
        {
            json.WriteNumberValue(id);
        }

        json.WriteEndArray();
    }
}
