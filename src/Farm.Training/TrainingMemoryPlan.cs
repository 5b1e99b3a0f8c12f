using System.Globalization;
using Farm.Core;
using Farm.Models.Configuration;
using Farm.Training.Model;
using Farm.Training.Reinforcement;

namespace Farm.Training;

/// <summary>What a run of <see cref="Trainer"/> takes of the device's memory, from the shapes alone: as <see cref="PpoMemoryPlan"/> counts it.</summary>
/// <param name="Parameters">Bytes of the parameters, with gradients and moments of those that are trained.</param>
/// <param name="Activations">Bytes of the workspace of a pass.</param>
/// <param name="Scratch">Bytes that the device's operations take beside them.</param>
public readonly record struct TrainingMemoryPlan(long Parameters, long Activations, long Scratch)
{
    /// <summary>All of it.</summary>
    public long Total => Parameters + Activations + Scratch;

    /// <summary>Plans a run.</summary>
    /// <param name="config">Shape of the model's checkpoint.</param>
    /// <param name="options">How it is loaded.</param>
    /// <param name="rows">Rows of the largest pass: <see cref="Trainer.RowsOfPass"/>.</param>
    /// <param name="backend">The device, whose operations may take memory of their own; null counts none.</param>
    public static TrainingMemoryPlan For(ModelConfig config, TrainableLlamaOptions options, int rows, IBackend? backend = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(options);
        var shape = config with { VocabularySize = options.VocabularySize ?? config.VocabularySize };
        bool language = options.Head == ModelHead.Language;
        var (trained, frozen) = PpoMemoryPlan.ParameterBytes(options.DType);
        long all = PpoMemoryPlan.Parameters(shape, language), own = language ? 0 : shape.HiddenSize + 1;
        long learned = options.Lora is { } lora ? PpoMemoryPlan.Adapters(shape, lora) + own : all + own;
        long parameters = options.Lora is null ? learned * trained : (all * frozen) + (learned * PpoMemoryPlan.Trained);
        return new TrainingMemoryPlan(
            parameters, TrainingWorkspace.BytesFor(shape, rows, options.Recompute, options.Lora), PassScratch.OfTraining(backend, shape, rows, options.DType, options.Lora, language, learned));
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"planned memory {Gibibytes(Total):F3} GiB: parameters, gradients and moments {Gibibytes(Parameters):F3}, activations of a pass {Gibibytes(Activations):F3}{(Scratch > 0 ? $", operations of the device {Gibibytes(Scratch):F3}" : string.Empty)}");

    private static double Gibibytes(long bytes) => bytes / 1073741824.0;
}
