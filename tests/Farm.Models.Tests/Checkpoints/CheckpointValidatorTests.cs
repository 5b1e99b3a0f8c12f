using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;

namespace Farm.Models.Tests.Checkpoints;

public class CheckpointValidatorTests
{
    private static readonly ModelConfig Config = new()
    {
        VocabularySize = 11,
        HiddenSize = 8,
        IntermediateSize = 12,
        Layers = 2,
        AttentionHeads = 2,
        KeyValueHeads = 1,
        HeadDim = 6,
    };

    private static FakeCheckpoint Full(ModelConfig config) => new(TensorLayout.Of(config));

    private static string Refused(FakeCheckpoint checkpoint, ModelConfig config) =>
        Assert.Throws<BadInputException>(() => CheckpointValidator.Validate(checkpoint, config)).Message;

    [Fact]
    public void A_full_checkpoint_passes_and_every_tensor_of_it_is_needed()
    {
        CheckpointValidator.Validate(Full(Config), Config);
        foreach (var tensor in TensorLayout.Of(Config))
        {
            var checkpoint = Full(Config);
            checkpoint.All.Remove(tensor.Name);
            Assert.Contains($"'{tensor.Name}'", Refused(checkpoint, Config), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_shape_that_contradicts_the_configuration_names_both_and_the_fields()
    {
        var checkpoint = Full(Config);
        checkpoint.Add("model.layers.1.self_attn.k_proj.weight", [12, 8]);
        string message = Refused(checkpoint, Config);
        Assert.Contains("'model.layers.1.self_attn.k_proj.weight' has shape [12, 8], but config.json says [6, 8]", message, StringComparison.Ordinal);
        Assert.Contains("num_key_value_heads", message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_output_head_may_be_missing_only_if_it_is_tied()
    {
        var checkpoint = Full(Config);
        checkpoint.All.Remove("lm_head.weight");
        Assert.Contains("tie_word_embeddings", Refused(checkpoint, Config), StringComparison.Ordinal);
        CheckpointValidator.Validate(checkpoint, Config with { TieWordEmbeddings = true });
        CheckpointValidator.Validate(Full(Config), Config with { TieWordEmbeddings = true });
    }

    [Fact]
    public void Left_over_tensors_of_the_decoder_are_refused_but_not_rotary_frequencies_or_other_modules()
    {
        var checkpoint = Full(Config);
        checkpoint.Add("model.layers.0.self_attn.rotary_emb.inv_freq", [3]);
        checkpoint.Add("value_head.weight", [1, 8]);
        CheckpointValidator.Validate(checkpoint, Config);
        checkpoint.Add("model.layers.0.self_attn.q_proj.bias", [12]);
        Assert.Contains("'model.layers.0.self_attn.q_proj.bias' has no place", Refused(checkpoint, Config), StringComparison.Ordinal);
        Assert.Contains("model.layers.1.", Refused(Full(Config), Config with { Layers = 1 }), StringComparison.Ordinal);
    }

    [Fact]
    public void Biases_follow_the_configuration()
    {
        var qwen = Config with { AttentionBias = AttentionBias.QueryKeyValue };
        CheckpointValidator.Validate(Full(qwen), qwen);
        Assert.Contains("q_proj.bias", Refused(Full(Config), qwen), StringComparison.Ordinal);
        Assert.DoesNotContain("model.layers.0.self_attn.o_proj.bias", Full(qwen).All.Keys);
        var all = Config with { AttentionBias = AttentionBias.All, MlpBias = true };
        Assert.Contains("o_proj.bias", Refused(Full(qwen), all), StringComparison.Ordinal);
        Assert.Equal(7, Full(all).All.Keys.Count(k => k.StartsWith("model.layers.0.", StringComparison.Ordinal) && k.EndsWith("bias", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_type_that_cannot_be_weights_is_refused()
    {
        var checkpoint = Full(Config);
        checkpoint.All["model.norm.weight"] = new MemoryTensor("model.norm.weight", DType.I32, [8], new byte[32]);
        Assert.Contains("'model.norm.weight' is stored as int32", Refused(checkpoint, Config).Replace("as i32", "as int32", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public void Reward_models_need_their_head_and_are_not_taken_for_decoders()
    {
        var reward = new FakeCheckpoint(TensorLayout.OfReward(Config));
        CheckpointValidator.ValidateReward(reward, Config);
        Assert.Contains("reward model", Refused(reward, Config), StringComparison.Ordinal);
        reward.All.Remove("backbone_model.lm_head.weight");
        CheckpointValidator.ValidateReward(reward, Config);
        reward.Add("reward_head.weight", [2, 8]);
        Assert.Contains("[2, 8]", RewardRefused(), StringComparison.Ordinal);
        reward.All.Remove("reward_head.weight");
        Assert.Contains("not a reward model", RewardRefused(), StringComparison.Ordinal);
        Assert.Contains("not a reward model", Assert.Throws<BadInputException>(() => CheckpointValidator.ValidateReward(Full(Config), Config)).Message, StringComparison.Ordinal);

        string RewardRefused() => Assert.Throws<BadInputException>(() => CheckpointValidator.ValidateReward(reward, Config)).Message;
    }

    [Theory]
    [InlineData("tinyllama", 1_100_048_384)]
    [InlineData("llama-7b", 6_738_415_616)]
    [InlineData("llama-3.1-8b", 8_030_261_248)]
    [InlineData("smollm2-135m", 134_515_008)]
    [InlineData("qwen2-0.5b", 494_032_768)]
    public void Well_known_models_have_their_published_number_of_parameters(string name, long parameters) =>
        Assert.Equal(parameters, TensorLayout.ParameterCount(ModelShapes.Get(name)));

    private sealed class FakeCheckpoint : ICheckpoint
    {
        public FakeCheckpoint(IEnumerable<ExpectedTensor> tensors)
        {
            foreach (var tensor in tensors)
            {
                Add(tensor.Name, [.. tensor.Shape]);
            }
        }

        public Dictionary<string, ICheckpointTensor> All { get; } = [];

        public string Folder => "folder";

        public IReadOnlyDictionary<string, ICheckpointTensor> Tensors => All;

        public void Add(string name, long[] shape) =>
            All[name] = MemoryTensor.FromFloats(name, shape, new float[shape.Aggregate(1L, (a, b) => a * b)]);

        public void Dispose()
        {
        }
    }
}
