using System.Text.Json.Nodes;
using Farm.Core;
using Farm.Models.Configuration;
using Farm.Models.Tests.Checkpoints;

namespace Farm.Models.Tests.Configuration;

public class ModelConfigTests
{
    private const string Base = """
        {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3,
         "num_attention_heads": 4, "vocab_size": 100, "max_position_embeddings": 4096, "eos_token_id": 2, "bos_token_id": 1}
        """;

    private static ModelConfig Load(string changes = "{}", string? generation = null)
    {
        using var folder = new TempFolder();
        folder.Write("config.json", With(changes));
        if (generation is not null)
        {
            folder.Write("generation_config.json", generation);
        }

        return ModelConfig.Load(folder.Path);
    }

    /// <summary>The base with fields replaced; "remove": true takes a field away.</summary>
    private static string With(string changes)
    {
        var json = JsonNode.Parse(Base)!.AsObject();
        foreach (var (name, value) in JsonNode.Parse(changes)!.AsObject())
        {
            if (value?.ToJsonString() == "\"remove\"")
            {
                json.Remove(name);
            }
            else
            {
                json[name] = value?.DeepClone();
            }
        }

        return json.ToJsonString();
    }

    private static string Refused(string changes)
    {
        var e = Assert.Throws<BadInputException>(() => Load(changes));
        Assert.Contains("config.json: field '", e.Message, StringComparison.Ordinal);
        Assert.EndsWith(".", e.Message, StringComparison.Ordinal);
        return e.Message;
    }

    [Fact]
    public void Absent_fields_have_the_family_s_defaults()
    {
        var config = Load();
        Assert.Equal((4, 16, 10000.0, 1e-6), (config.KeyValueHeads, config.HeadDim, config.RopeTheta, config.RmsNormEpsilon));
        Assert.Equal((RopeScaling.None, false, AttentionBias.None, false), (config.RopeScaling, config.TieWordEmbeddings, config.AttentionBias, config.MlpBias));
        Assert.Equal((1, null, null), (config.BosId, config.PadId, config.TorchDType));
        Assert.Equal([2], config.EosIds);
        Assert.Equal((64, 64), (config.QueryWidth, config.KeyValueWidth));
    }

    [Fact]
    public void Stated_fields_are_read()
    {
        var config = Load("""
            {"num_key_value_heads": 2, "head_dim": 32, "rms_norm_eps": 1e-5, "rope_theta": 500000, "tie_word_embeddings": true, "attention_bias": true,
             "mlp_bias": true, "pad_token_id": 99, "torch_dtype": "bfloat16"}
            """);
        Assert.Equal((2, 32, 500000.0, 1e-5), (config.KeyValueHeads, config.HeadDim, config.RopeTheta, config.RmsNormEpsilon));
        Assert.Equal((128, 64), (config.QueryWidth, config.KeyValueWidth));
        Assert.Equal((true, AttentionBias.All, true, 99, DType.BF16),
            (config.TieWordEmbeddings, config.AttentionBias, config.MlpBias, config.PadId, config.TorchDType));
        Assert.Equal(DType.F16, Load("""{"dtype": "float16"}""").TorchDType);
    }

    [Theory]
    [InlineData("""{"model_type": "mistral", "sliding_window": null}""", "mistral", AttentionBias.None)]
    [InlineData("""{"model_type": "mistral", "sliding_window": 4096}""", "mistral", AttentionBias.None)]
    [InlineData("""{"model_type": "qwen2", "sliding_window": 512, "use_sliding_window": false}""", "qwen2", AttentionBias.QueryKeyValue)]
    [InlineData("""{"model_type": "qwen2", "sliding_window": 512, "use_sliding_window": true, "max_window_layers": 3}""", "qwen2", AttentionBias.QueryKeyValue)]
    [InlineData("""{"model_type": "remove", "architectures": ["Qwen2ForCausalLM"]}""", "qwen2", AttentionBias.QueryKeyValue)]
    [InlineData("""{"model_type": "remove", "architectures": ["LLaMAForCausalLM"]}""", "llama", AttentionBias.None)]
    [InlineData("""{"model_type": "alpaca", "architectures": ["MistralForCausalLM"]}""", "mistral", AttentionBias.None)]
    public void Families_are_told_by_model_type_or_architecture(string changes, string type, AttentionBias bias)
    {
        var config = Load(changes);
        Assert.Equal((type, bias), (config.ModelType, config.AttentionBias));
    }

    [Theory]
    [InlineData("""{"rope_scaling": null}""", RopeScalingKind.None, 1)]
    [InlineData("""{"rope_scaling": {"rope_type": "default"}}""", RopeScalingKind.None, 1)]
    [InlineData("""{"rope_scaling": {"type": "linear", "factor": 2}}""", RopeScalingKind.Linear, 2)]
    [InlineData("""{"rope_scaling": {"rope_type": "linear", "factor": 2.5}}""", RopeScalingKind.Linear, 2.5)]
    [InlineData("""{"rope_parameters": {"rope_type": "linear", "factor": 4, "rope_theta": 77}}""", RopeScalingKind.Linear, 4)]
    [InlineData("""{"rope_parameters": {"rope_type": "default", "rope_theta": 77}}""", RopeScalingKind.None, 1)]
    public void Rotary_scalings_are_read_in_old_and_new_spelling(string changes, RopeScalingKind kind, double factor)
    {
        var config = Load(changes);
        Assert.Equal((kind, factor), (config.RopeScaling.Kind, config.RopeScaling.Factor));
        Assert.Equal(changes.Contains("77", StringComparison.Ordinal) ? 77 : 10000, config.RopeTheta);
    }

    [Fact]
    public void The_llama3_scaling_is_read_whole()
    {
        var config = Load("""
            {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.5, "high_freq_factor": 4.0, "original_max_position_embeddings": 1024}}
            """);
        Assert.Equal(new RopeScaling(RopeScalingKind.Llama3, 8, 1.5, 4, 1024), config.RopeScaling);
    }

    [Theory]
    [InlineData("""{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}""", "'gpt2', which is not supported")]
    [InlineData("""{"model_type": "qwen3", "architectures": null}""", "'qwen3'")]
    [InlineData("""{"model_type": "remove", "architectures": ["OPTForCausalLM"]}""", "'OPTForCausalLM'")]
    [InlineData("""{"model_type": "remove", "architectures": "remove"}""", "'model_type' is missing")]
    [InlineData("""{"model_type": "reward_model"}""", "reward model")]
    [InlineData("""{"model_type": 3}""", "'model_type' must be text")]
    [InlineData("""{"hidden_size": "remove"}""", "'hidden_size' is missing")]
    [InlineData("""{"hidden_size": "64"}""", "'hidden_size' must be a whole number")]
    [InlineData("""{"hidden_size": 0}""", "'hidden_size'")]
    [InlineData("""{"hidden_size": -64}""", "'hidden_size'")]
    [InlineData("""{"hidden_size": 64.5}""", "'hidden_size'")]
    [InlineData("""{"hidden_size": 1e300}""", "'hidden_size'")]
    [InlineData("""{"hidden_size": 66}""", "'hidden_size' is 66, which num_attention_heads (4) does not divide")]
    [InlineData("""{"hidden_size": 60}""", "even")]
    [InlineData("""{"head_dim": 15}""", "'head_dim' gives heads of 15")]
    [InlineData("""{"intermediate_size": []}""", "'intermediate_size'")]
    [InlineData("""{"num_hidden_layers": 0}""", "'num_hidden_layers'")]
    [InlineData("""{"num_attention_heads": true}""", "'num_attention_heads'")]
    [InlineData("""{"num_key_value_heads": 3}""", "'num_key_value_heads' is 3, which does not divide")]
    [InlineData("""{"vocab_size": 99999999}""", "'vocab_size'")]
    [InlineData("""{"rms_norm_eps": 0}""", "'rms_norm_eps' must be a number over 0")]
    [InlineData("""{"rope_theta": -1}""", "'rope_theta'")]
    [InlineData("""{"tie_word_embeddings": 1}""", "'tie_word_embeddings' must be true or false")]
    [InlineData("""{"eos_token_id": "</s>"}""", "'eos_token_id'")]
    [InlineData("""{"eos_token_id": [2, 100]}""", "token 100, past the vocabulary of 100")]
    [InlineData("""{"eos_token_id": -7}""", "'eos_token_id'")]
    [InlineData("""{"hidden_act": "gelu"}""", "'hidden_act' is 'gelu'")]
    [InlineData("""{"quantization_config": {"bits": 4}}""", "quantised")]
    [InlineData("""{"rope_scaling": {"rope_type": "yarn", "factor": 4}}""", "'rope_scaling.rope_type' is 'yarn', which is not supported")]
    [InlineData("""{"rope_scaling": {"type": "dynamic", "factor": 4}}""", "'rope_scaling.type' is 'dynamic'")]
    [InlineData("""{"rope_parameters": {"rope_type": "longrope"}}""", "'rope_parameters.rope_type' is 'longrope'")]
    [InlineData("""{"rope_scaling": {"factor": 4}}""", "'rope_scaling.rope_type' is missing")]
    [InlineData("""{"rope_scaling": {"type": "linear"}}""", "'rope_scaling.factor' is missing")]
    [InlineData("""{"rope_scaling": {"type": "linear", "factor": 0.5}}""", "'rope_scaling.factor' is 0.5")]
    [InlineData("""{"rope_scaling": {"type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4}}""", "'rope_scaling.high_freq_factor'")]
    [InlineData("""{"rope_scaling": {"type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4}}""", "original_max_position_embeddings' is missing")]
    [InlineData("""{"rope_scaling": 2}""", "'rope_scaling' must be an object")]
    [InlineData("""{"partial_rotary_factor": 0.5}""", "'partial_rotary_factor'")]
    [InlineData("""{"model_type": "mistral", "sliding_window": 4095}""", "sliding-window attention")]
    [InlineData("""{"model_type": "qwen2", "sliding_window": 512, "use_sliding_window": true}""", "'use_sliding_window' asks for sliding-window")]
    [InlineData("""{"model_type": "qwen2", "sliding_window": 512, "layer_types": ["full_attention", "sliding_attention"]}""", "'layer_types'")]
    public void What_cannot_be_used_is_one_sentence_that_names_the_field(string changes, string expected) =>
        Assert.Contains(expected, Refused(changes), StringComparison.Ordinal);

    [Fact]
    public void Ids_of_the_generation_configuration_come_first_and_are_not_repeated()
    {
        Assert.Equal([7, 2], Load(generation: """{"eos_token_id": [7, 2]}""").EosIds);
        Assert.Equal([9, 2], Load(generation: """{"eos_token_id": 9}""").EosIds);
        Assert.Equal([2], Load(generation: """{"max_length": 9}""").EosIds);
        Assert.Equal([3, 2, 5], Load("""{"eos_token_id": [2, 3, 5, 2]}""", """{"eos_token_id": 3}""").EosIds);
        Assert.Empty(Load("""{"eos_token_id": null}""").EosIds);
        Assert.Contains("generation_config.json: field 'eos_token_id'",
            Assert.Throws<BadInputException>(() => Load(generation: """{"eos_token_id": {}}""")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Minus_one_means_no_token_and_padding_may_lie_past_the_vocabulary()
    {
        Assert.Null(Load("""{"pad_token_id": -1}""").PadId);
        Assert.Equal(100, Load("""{"pad_token_id": 100}""").PadId);
    }

    [Theory]
    [InlineData("{\n\"hidden_size\": }", "line 2, column 16")]
    [InlineData("7", "no JSON object")]
    public void A_file_that_is_not_JSON_names_line_and_column(string text, string expected)
    {
        using var folder = new TempFolder();
        string path = folder.Write("config.json", text);
        var e = Assert.Throws<BadInputException>(() => ModelConfig.Load(folder.Path));
        Assert.StartsWith(path, e.Message, StringComparison.Ordinal);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_or_folder_is_named()
    {
        using var folder = new TempFolder();
        Assert.Contains(folder.File("config.json"), Assert.Throws<BadInputException>(() => ModelConfig.Load(folder.Path)).Message, StringComparison.Ordinal);
        Assert.Contains("no such folder", Assert.Throws<BadInputException>(() => ModelConfig.Load(folder.File("x"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_named_shape_is_the_same_after_saving_and_loading()
    {
        foreach (string name in ModelShapes.Names)
        {
            using var folder = new TempFolder();
            var shape = ModelShapes.Get(name) with { TorchDType = DType.F16, PadId = 0 };
            shape.Save(folder.Path);
            var loaded = ModelConfig.Load(folder.Path);
            Assert.Equal(shape.EosIds, loaded.EosIds);
            Assert.Equal(shape, loaded with { EosIds = shape.EosIds });
        }

        using var other = new TempFolder();
        var mistral = Load("""{"model_type": "mistral", "eos_token_id": [2, 4], "rope_scaling": {"type": "linear", "factor": 2}}""");
        mistral.Save(other.Path);
        var again = ModelConfig.Load(other.Path);
        Assert.Equal([2, 4], again.EosIds);
        Assert.Equal(mistral, again with { EosIds = mistral.EosIds });
        Assert.Contains("tinyllama", Assert.Throws<BadInputException>(() => ModelShapes.Get("huge")).Message, StringComparison.Ordinal);
    }
}
