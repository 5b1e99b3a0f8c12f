using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;
using Farm.Reference;
using Farm.Training.Model;

namespace Farm.Training.Tests;

/// <summary>A two-layer decoder of random weights, and examples for it.</summary>
internal static class TinyModel
{
    public static ModelConfig Config { get; } = new()
    {
        VocabularySize = 13,
        HiddenSize = 8,
        IntermediateSize = 10,
        Layers = 2,
        AttentionHeads = 2,
        KeyValueHeads = 1,
        HeadDim = 4,
        MaxPositionEmbeddings = 32,
        RopeScaling = new RopeScaling(RopeScalingKind.Linear, 2, 1, 4, 32),
    };

    public static ReferenceBackend Backend { get; } = new();

    public static TrainableLlama Load(TrainableLlamaOptions? options = null, ModelConfig? config = null, ITrainingBackend? backend = null)
    {
        using var checkpoint = new RandomTensors(config ?? Config);
        return TrainableLlama.Load(backend ?? Backend, checkpoint, config ?? Config, options ?? new TrainableLlamaOptions());
    }

    public static float[] Values(Tensor tensor)
    {
        var values = new float[tensor.Count];
        Backend.Download<float>(tensor, values);
        return values;
    }

    /// <summary>Every trained value, by the order of parameters.</summary>
    public static float[] Values(TrainableLlama model) => [.. model.Trained.Names.Order(StringComparer.Ordinal).SelectMany(n => Values(model.Trained.ValueOf(n)))];

    public static float[] Gradients(TrainableLlama model) => [.. model.Trained.Names.Order(StringComparer.Ordinal).SelectMany(n => Values(model.Trained.GradientOf(n)))];

    /// <summary>A checkpoint in memory of a configuration's tensors.</summary>
    internal sealed class RandomTensors : ICheckpoint
    {
        public RandomTensors(ModelConfig config, int seed = 3)
        {
            var random = new Random(seed);
            Tensors = TensorLayout.Of(config).Where(t => t.Required).ToDictionary(t => t.Name, t =>
            {
                bool norm = t.Name.Contains("norm", StringComparison.Ordinal);
                float[] values = [.. Enumerable.Range(0, (int)t.Count).Select(_ => (norm ? 1f : 0f) + (float)(random.NextDouble() - 0.5))];
                return (ICheckpointTensor)MemoryTensor.FromFloats(t.Name, t.Shape, values);
            });
        }

        public string Folder => "memory";

        public IReadOnlyDictionary<string, ICheckpointTensor> Tensors { get; }

        public void Dispose()
        {
        }
    }
}
