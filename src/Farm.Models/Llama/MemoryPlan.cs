using Farm.Core;
using Farm.Models.Configuration;

namespace Farm.Models.Llama;

/// <summary>What a run takes of the device's memory, known before anything is allocated.</summary>
/// <param name="Weights">Bytes of the packed weights, tables included.</param>
/// <param name="KeyValues">Bytes reserved for keys and values; touched only as they are written.</param>
/// <param name="Activations">Bytes of the workspace.</param>
public readonly record struct MemoryPlan(long Weights, long KeyValues, long Activations)
{
    /// <summary>All of it.</summary>
    public long Total => Weights + KeyValues + Activations;

    /// <summary>
    /// Bytes of a model's weights as <see cref="LlamaModel.Load"/> lays them out: 4 bytes an element for F32, 2 for BF16, 1 1/16 for I8
    /// (a float32 scale for 64 elements). Backends may pad a little more.
    /// </summary>
    public static long WeightBytes(ModelConfig config, DType weights, bool languageHead = true, int? maxPositions = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        long hidden = config.HiddenSize, queries = (long)config.AttentionHeads * config.HeadDim, keys = (long)config.KeyValueHeads * config.HeadDim;
        long layer = (hidden * (queries + (2 * keys))) + (queries * hidden) + (3 * hidden * config.IntermediateSize);
        long bytes = Packed(layer * config.Layers, weights);
        bytes += languageHead ? Packed(hidden * config.VocabularySize, weights) : 0;
        bytes += LlamaModel.HasTable(config, weights, languageHead) ? hidden * config.VocabularySize * LlamaModel.TableType(weights).Size() : 0;
        long norms = hidden * ((2L * config.Layers) + 1), angles = (long)(maxPositions ?? config.MaxPositionEmbeddings) * config.HeadDim;
        return bytes + ((norms + angles) * sizeof(float));
    }

    /// <summary>Bytes of one token's keys and values over all layers.</summary>
    public static long KvBytesPerToken(ModelConfig config, DType type)
    {
        ArgumentNullException.ThrowIfNull(config);
        return 2L * config.Layers * config.KeyValueHeads * config.HeadDim * type.Size();
    }

    /// <inheritdoc/>
    public override string ToString() =>
        $"weights {Mebibytes(Weights)}, keys and values {Mebibytes(KeyValues)}, activations {Mebibytes(Activations)}";

    private static long Packed(long elements, DType type) => type == DType.I8 ? elements + (elements / 16) : elements * type.Size();

    private static string Mebibytes(long bytes) => FormattableString.Invariant($"{bytes / 1048576.0:F0} MiB");
}
