using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;

namespace Farm.Models.Tests.Checkpoints;

public class RandomCheckpointTests
{
    private static readonly ModelConfig Config = ModelShapes.Get("tiny") with
    {
        Layers = 2,
        VocabularySize = 1003,
        AttentionBias = AttentionBias.All,
        MlpBias = true,
    };

    [Fact]
    public void The_folder_opens_validates_and_loads_as_its_configuration()
    {
        using var folder = new TempFolder();
        long written = 0;
        RandomCheckpoint.Write(folder.Path, Config, written: n => written += n);
        Assert.Equal(TensorLayout.ParameterCount(Config) * 2, written);
        var loaded = ModelConfig.Load(folder.Path);
        Assert.Equal(Config with { TorchDType = DType.BF16, EosIds = loaded.EosIds }, loaded);
        using var checkpoint = Checkpoint.Open(folder.Path);
        CheckpointValidator.Validate(checkpoint, loaded);
        Assert.All(checkpoint.Tensors.Values, t => Assert.Equal(DType.BF16, t.DType));
    }

    [Fact]
    public void A_reward_model_opens_validates_and_holds_its_backbone()
    {
        using var folder = new TempFolder();
        RandomCheckpoint.WriteReward(folder.Path, Config, type: DType.F32, maxShardBytes: 1_000_000);
        var reward = RewardModelConfig.TryLoad(folder.Path)!;
        Assert.Equal(Config.HiddenSize, reward.Backbone.HiddenSize);
        Assert.Equal(folder.Path, reward.BackboneFolder);
        using var checkpoint = Checkpoint.Open(folder.Path);
        CheckpointValidator.ValidateReward(checkpoint, reward.Backbone);
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void Values_are_normal_with_the_stated_deviation_and_norms_are_one(DType type)
    {
        using var folder = new TempFolder();
        RandomCheckpoint.Write(folder.Path, Config, type: type);
        using var checkpoint = Checkpoint.Open(folder.Path);
        Assert.All(checkpoint.Tensors["model.norm.weight"].ReadFloats(), v => Assert.Equal(1f, v));
        Moments(checkpoint.Tensors["model.embed_tokens.weight"].ReadFloats(), 0.02);
        Moments(checkpoint.Tensors["model.layers.1.mlp.down_proj.weight"].ReadFloats(), 0.02 / Math.Sqrt(4));

        static void Moments(float[] values, double deviation)
        {
            double mean = values.Average(v => (double)v), square = values.Average(v => (double)v * v) / (deviation * deviation);
            double fourth = values.Average(v => Math.Pow(v / deviation, 4));
            double error = 1 / Math.Sqrt(values.Length);
            Assert.InRange(mean / deviation, -5 * error, 5 * error);
            Assert.InRange(square, 1 - (5 * Math.Sqrt(2) * error), 1 + (5 * Math.Sqrt(2) * error));
            Assert.InRange(fourth, 3 - (5 * Math.Sqrt(96) * error), 3 + (5 * Math.Sqrt(96) * error));
        }
    }

    [Fact]
    public void The_seed_alone_decides_the_files_and_tensors_differ_from_each_other()
    {
        using TempFolder first = new(), second = new(), other = new();
        RandomCheckpoint.Write(first.Path, Config, seed: 5);
        RandomCheckpoint.Write(second.Path, Config, seed: 5);
        RandomCheckpoint.Write(other.Path, Config, seed: 6);
        byte[] bytes = File.ReadAllBytes(first.File("model.safetensors"));
        Assert.Equal(bytes, File.ReadAllBytes(second.File("model.safetensors")));
        Assert.NotEqual(bytes, File.ReadAllBytes(other.File("model.safetensors")));
        using var checkpoint = Checkpoint.Open(first.Path);
        var q0 = checkpoint.Tensors["model.layers.0.self_attn.q_proj.weight"].ReadFloats();
        Assert.NotEqual(q0, checkpoint.Tensors["model.layers.1.self_attn.q_proj.weight"].ReadFloats());
        Assert.NotEqual(q0[..288], q0[288..576]);
    }

    [Fact]
    public void Other_types_are_refused()
    {
        using var folder = new TempFolder();
        Assert.Contains("int8", Assert.Throws<BadInputException>(() => RandomCheckpoint.Write(folder.Path, Config, type: DType.I8)).Message, StringComparison.Ordinal);
    }
}
