using Farm.Cli.Kernels;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;
using Farm.Training.Data;
using Farm.Training.Model;
using Farm.Training.Tasks;

namespace Farm.Cli.Gradients;

/// <summary>The gradients of whole two-layer decoders of random weights, by every tensor that is trained.</summary>
internal static class ModelGradients
{
    // Errors of a float32 forward through two layers add up.
    private const double Tolerance = 5e-3;

    private static readonly ModelConfig s_config = new()
    {
        VocabularySize = 13,
        HiddenSize = 16,
        IntermediateSize = 20,
        Layers = 2,
        AttentionHeads = 2,
        KeyValueHeads = 1,
        HeadDim = 8,
        MaxPositionEmbeddings = 32,
    };

    /// <summary>A language model by its cross-entropy, and a reward model by its pairwise loss.</summary>
    public static IEnumerable<GradientCase> All() =>
    [
        new("llama, sft", Tolerance, o => Model(o, ModelHead.Language, new SftTask(), [new([[1, 4, 7, 2, 9, 3]], 2), new([[5, 12, 0]], 1)])),
        new("llama, reward", Tolerance, o => Model(o, ModelHead.Reward, new PairwiseTask(), [new([[1, 4, 7], [2, 9, 3, 6, 5]], Target: 1), new([[8, 2], [8, 2, 11]])])),
    ];

    private static GradientProbe Model(CaseOperands o, ModelHead head, TrainingTask task, TrainingExample[] examples)
    {
        using var checkpoint = new RandomTensors(s_config);
        var model = o.Own(TrainableLlama.Load(o.Backend, checkpoint, s_config, new TrainableLlamaOptions { Head = head }));
        var workspace = o.Own(model.CreateWorkspace(examples.Sum(e => e.Rows)));
        var batch = new PackedBatch();
        float[] scales = [.. examples.Select((_, i) => 0.5f + i)];
        string[] names = [.. model.Trained.Names.Order(StringComparer.Ordinal)];
        return new GradientProbe([.. names.Select(n => (n.StartsWith(model.Prefix, StringComparison.Ordinal) ? n[model.Prefix.Length..] : n, model.Trained.ValueOf(n)))],
            () => task.Pass(model, workspace, batch, examples, null).Select((r, i) => r.LossSum * scales[i]).Sum(),
            () =>
            {
                model.Trained.ZeroGradients();
                task.Pass(model, workspace, batch, examples, scales);
                return [.. names.Select(model.Trained.GradientOf)];
            });
    }

    /// <summary>The tensors of a configuration, large enough that every gradient shows.</summary>
    private sealed class RandomTensors : ICheckpoint
    {
        public RandomTensors(ModelConfig config)
        {
            var random = new Random(3);
            Tensors = TensorLayout.Of(config).Where(t => t.Required).ToDictionary(t => t.Name, t =>
            {
                float middle = t.Name.Contains("norm", StringComparison.Ordinal) ? 1 : 0;
                float[] values = [.. Enumerable.Range(0, (int)t.Count).Select(_ => middle + random.NextSingle() - 0.5f)];
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
