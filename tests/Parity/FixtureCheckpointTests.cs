using System.Text.Json;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;

namespace Parity;

/// <summary>The fixture checkpoints open, have the tensors their configurations imply, and hold the numbers PyTorch computed with.</summary>
public class FixtureCheckpointTests
{
    private static readonly Lazy<JsonDocument> Golden = new(() => JsonDocument.Parse(File.ReadAllBytes(Shared.Path("models", "golden.json"))));

    [Theory]
    [InlineData("fixture-sft", DType.BF16, 48, 2_662_464)]
    [InlineData("fixture-bin", DType.F16, 23, 129_264)]
    [InlineData("fixture-llama3", DType.F32, 20, 207_120)]
    public void Decoders_open_with_the_stated_tensors(string name, DType type, int tensors, long parameters)
    {
        string folder = Shared.Path("models", name);
        var config = ModelConfig.Load(folder);
        using var checkpoint = Checkpoint.Open(folder);
        CheckpointValidator.Validate(checkpoint, config);
        Assert.Equal(tensors, checkpoint.Tensors.Count);
        Assert.Equal(parameters, TensorLayout.ParameterCount(config));
        Assert.All(checkpoint.Tensors.Values, t => Assert.Equal(t.Name.EndsWith("inv_freq", StringComparison.Ordinal) ? DType.F32 : type, t.DType));
        Assert.Equal(type, config.TorchDType);
        Assert.Null(RewardModelConfig.TryLoad(folder));
    }

    [Fact]
    public void The_reward_model_opens_with_its_backbone_s_configuration()
    {
        string folder = Shared.Path("models", "fixture-rm");
        var reward = RewardModelConfig.TryLoad(folder)!;
        Assert.Equal(Path.GetFullPath(Shared.Path("models", "fixture-sft")), reward.BackboneFolder);
        using var checkpoint = Checkpoint.Open(folder);
        CheckpointValidator.ValidateReward(checkpoint, reward.Backbone);
        Assert.Throws<BadInputException>(() => CheckpointValidator.Validate(checkpoint, reward.Backbone));
    }

    [Fact]
    public void Tied_names_of_the_pickled_checkpoint_are_one_storage_and_views_of_one_storage_differ()
    {
        using var checkpoint = Checkpoint.Open(Shared.Path("models", "fixture-bin"));
        float[] Values(string name) => checkpoint.Tensors[name].ReadFloats();
        Assert.Equal(Values("model.embed_tokens.weight"), Values("lm_head.weight"));
        Assert.NotEqual(Values("model.layers.0.mlp.gate_proj.weight"), Values("model.layers.0.mlp.up_proj.weight"));
        Assert.NotEqual(Values("model.layers.0.self_attn.k_proj.weight"), Values("model.layers.0.self_attn.v_proj.weight"));
        float[] frequencies = Values("model.layers.0.self_attn.rotary_emb.inv_freq");
        Assert.All(Enumerable.Range(0, 8), i => Assert.Equal(Math.Pow(10000, -i / 8.0), frequencies[i], 1e-7));
    }

    /// <summary>Logits depend on every weight, its place and its layout, the strided views of the pickled checkpoint among them.</summary>
    [Theory]
    [InlineData("fixture-sft")]
    [InlineData("fixture-bin")]
    [InlineData("fixture-llama3")]
    public void Logits_are_those_of_PyTorch(string name)
    {
        string folder = Shared.Path("models", name);
        using var checkpoint = Checkpoint.Open(folder);
        var model = new PlainLlama(ModelConfig.Load(folder), checkpoint);
        var rows = Golden.Value.RootElement.GetProperty("causal").EnumerateArray()
            .Where(r => r.GetProperty("model").GetString() == name && r.GetProperty("prompt_ids").GetArrayLength() <= 200).ToList();
        Assert.NotEmpty(rows);
        foreach (var row in rows)
        {
            double[] logits = model.Logits(model.LastHidden(Ids(row, "prompt_ids")));
            int[] top = [.. Enumerable.Range(0, logits.Length).OrderByDescending(i => logits[i]).Take(10)];
            Assert.Equal(Ids(row, "top10_ids"), top);
            double[] expected = [.. row.GetProperty("top10_logits").EnumerateArray().Select(e => e.GetDouble())];
            Assert.All(Enumerable.Range(0, 10), i => Assert.Equal(expected[i], logits[top[i]], 1e-9));
        }
    }

    [Fact]
    public void Rewards_are_those_of_PyTorch()
    {
        string folder = Shared.Path("models", "fixture-rm");
        using var checkpoint = Checkpoint.Open(folder);
        var model = new PlainLlama(RewardModelConfig.TryLoad(folder)!.Backbone, checkpoint, TensorNames.RewardPrefix);
        float[] weight = checkpoint.Tensors[TensorNames.RewardHeadWeight].ReadFloats(), bias = checkpoint.Tensors[TensorNames.RewardHeadBias].ReadFloats();
        foreach (var row in Golden.Value.RootElement.GetProperty("reward").GetProperty("rows").EnumerateArray())
        {
            int[] ids = Ids(row, "ids");
            if (ids.Length <= 200)
            {
                double reward = model.LastHidden(ids).Zip(weight, (h, w) => h * w).Sum() + bias[0];
                Assert.Equal(row.GetProperty("reward").GetDouble(), reward, 1e-9);
            }
        }
    }

    private static int[] Ids(JsonElement row, string field) => [.. row.GetProperty(field).EnumerateArray().Select(e => e.GetInt32())];
}
