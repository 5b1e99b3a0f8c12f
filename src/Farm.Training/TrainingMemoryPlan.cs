using Farm.Models.Configuration;
using Farm.Training.Model;
using Farm.Training.Reinforcement;

namespace Farm.Training;

/// <summary>What a run of <see cref="Trainer"/> takes of the device's memory, from the shapes alone: as <see cref="PpoMemoryPlan"/> counts it.</summary>
/// <param name="Parameters">Bytes of the parameters, with gradients and moments of those that are trained.</param>
/// <param name="Activations">Bytes of the workspace of a pass.</param>
public readonly record struct TrainingMemoryPlan(long Parameters, long Activations)
{
    /// <summary>All of it.</summary>
    public long Total => Parameters + Activations;

    /// <summary>Plans a run.</summary>
    /// <param name="config">Shape of the model's checkpoint.</param>
    /// <param name="options">How it is loaded.</param>
    /// <param name="rows">Rows of the largest pass: <see cref="Trainer.RowsOfPass"/>.</param>
    public static TrainingMemoryPlan For(ModelConfig config, TrainableLlamaOptions options, int rows)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(options);
        var shape = config with { VocabularySize = options.VocabularySize ?? config.VocabularySize };
        bool language = options.Head == ModelHead.Language;
        var (trained, frozen) = PpoMemoryPlan.ParameterBytes(options.DType);
        long all = PpoMemoryPlan.Parameters(shape, language), own = language ? 0 : shape.HiddenSize + 1;
        long parameters = options.Lora is { } lora
            ? (all * frozen) + ((PpoMemoryPlan.Adapters(shape, lora) + own) * PpoMemoryPlan.Trained)
            : (all + own) * trained;
        return new TrainingMemoryPlan(parameters, TrainingWorkspace.BytesFor(shape, rows, options.Recompute, options.Lora));
    }
}
