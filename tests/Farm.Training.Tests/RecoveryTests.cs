using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;
using Farm.Training.Checkpoints;

namespace Farm.Training.Tests;

/// <summary>Recovery of a model from a base and a difference.</summary>
public sealed class RecoveryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Difference_and_base_make_the_model(bool reward)
    {
        string prefix = reward ? "backbone_model." : string.Empty;
        using var raw = Write("base", TinyModel.Config, 1);
        var tuned = new TinyModel.RandomTensors(TinyModel.Config with { VocabularySize = 14 }, 2).Tensors;
        var differences = new List<ICheckpointTensor>();
        double sum = 0;
        foreach (var tensor in tuned.Values)
        {
            float[] now = tensor.ReadFloats(), old = raw.Tensors[tensor.Name].ReadFloats();
            sum += now.Sum(v => (double)v);
            // The row that the base lacks is the mean of its others.
            differences.Add(MemoryTensor.FromFloats(prefix + tensor.Name, tensor.Shape, [.. now.Select((v, i) => v - (i < old.Length ? old[i] : Enumerable.Range(0, 13).Average(r => old[(r * 8) + (i % 8)])))]));
        }

        if (reward)
        {
            differences.Add(MemoryTensor.FromFloats("reward_head.weight", [1, 8], [1, 2, 3, 4, 5, 6, 7, 8]));
            differences.Add(MemoryTensor.FromFloats("reward_head.bias", [1], [9]));
            sum += 45;
        }

        WriteDiff(differences, sum);
        var result = ModelRecovery.Recover(_folder.File("base"), _folder.File("diff"), _folder.File("out"), DType.F32);
        Assert.Equal(sum, result.Sum, 1e-3);
        using var recovered = Checkpoint.Open(_folder.File("out"));
        foreach (var tensor in tuned.Values)
        {
            float[] expected = tensor.ReadFloats(), actual = recovered.Tensors[prefix + tensor.Name].ReadFloats();
            Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
        }

        var config = reward ? RewardModelConfig.TryLoad(_folder.File("out"))!.Backbone : ModelConfig.Load(_folder.File("out"));
        Assert.Equal(14, config.VocabularySize);
        if (reward)
        {
            CheckpointValidator.ValidateReward(recovered, config);
        }
    }

    [Fact]
    public void A_difference_to_another_base_is_refused_and_nothing_is_written()
    {
        using var raw = Write("base", TinyModel.Config, 1);
        var other = new TinyModel.RandomTensors(TinyModel.Config with { IntermediateSize = 12 }, 2).Tensors.Values.ToList();
        WriteDiff(other, 0);
        Assert.Contains("to another base", Refused(), StringComparison.Ordinal);
        WriteDiff([.. new TinyModel.RandomTensors(TinyModel.Config, 2).Tensors.Values], 12345);
        Assert.Contains("says that the weights sum to 12345", Refused(), StringComparison.Ordinal);
        WriteDiff([.. new TinyModel.RandomTensors(TinyModel.Config with { Layers = 1 }, 2).Tensors.Values], 0);
        Assert.Contains("lacks tensor 'model.layers.1.", Refused(), StringComparison.Ordinal);

        string Refused()
        {
            string message = Assert.Throws<BadInputException>(() => ModelRecovery.Recover(_folder.File("base"), _folder.File("diff"), _folder.File("out"), DType.F32)).Message;
            Assert.Equal([_folder.File("base"), _folder.File("diff")], Directory.GetDirectories(_folder.Path).Order());
            return message;
        }
    }

    private ICheckpoint Write(string name, ModelConfig config, int seed)
    {
        CheckpointWriter.Save(_folder.File(name), new TinyModel.RandomTensors(config, seed).Tensors.Values);
        config.Save(_folder.File(name));
        return Checkpoint.Open(_folder.File(name));
    }

    private void WriteDiff(List<ICheckpointTensor> tensors, double sum)
    {
        CheckpointWriter.Save(_folder.File("diff"), tensors);
        (TinyModel.Config with { VocabularySize = 14 }).Save(_folder.File("diff"));
        File.WriteAllText(_folder.File("diff/model_sum.txt"), FormattableString.Invariant($"{sum}"));
    }
}
