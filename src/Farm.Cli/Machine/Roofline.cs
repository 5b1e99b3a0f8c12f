using Farm.Core;
using Farm.Models.Configuration;

namespace Farm.Cli.Machine;

/// <summary>
/// The least time this machine could take for a model's work: a step reads every weight and the keys and values in view once, and
/// multiplies; whichever takes longer bounds it (Williams et al., "Roofline", 2009).
/// </summary>
/// <param name="config">The model's shape.</param>
/// <param name="weights">Storage of its weights; int8 multiplies at the rate of integer dot products.</param>
/// <param name="bf16Activations">bf16 weights multiply at the rate of bf16 dot products; otherwise they are widened and multiply at that of float32.</param>
/// <param name="stepBytes">Bytes of weights that a step streams.</param>
/// <param name="limits">What the machine was measured to do.</param>
internal sealed class Roofline(ModelConfig config, DType weights, bool bf16Activations, long stepBytes, MachineLimits limits)
{
    private readonly long _layerParameters = LayerParameters(config) * config.Layers;
    private readonly long _headParameters = (long)config.HiddenSize * config.VocabularySize;
    private readonly double _productRate = weights switch
    {
        DType.I8 => limits.IntegerOperations,
        DType.BF16 when bf16Activations => limits.Bf16Operations,
        _ => limits.FloatOperations,
    };
    private readonly long _kvBytes = 2L * config.Layers * config.KeyValueHeads * config.HeadDim * (weights == DType.F32 ? 4 : 2);

    /// <summary>Seconds of one decode step.</summary>
    /// <param name="rows">Sequences in the step.</param>
    /// <param name="sharedTokens">Tokens of the prefix that all sequences share, read once.</param>
    /// <param name="privateTokens">Tokens of each sequence's own, read once per sequence.</param>
    public double DecodeStepSeconds(double rows, double sharedTokens, double privateTokens)
    {
        double bytes = stepBytes + (_kvBytes * (sharedTokens + (rows * privateTokens)));
        double products = 2 * rows * (_layerParameters + _headParameters) / _productRate;
        double attention = rows * AttentionOperations(sharedTokens + privateTokens) / limits.FloatOperations;
        return Math.Max(bytes / limits.ReadBytes, products + attention);
    }

    /// <summary>Seconds of a prompt's prefill: logits are needed at its last token only, and a query sees half of the prompt on average.</summary>
    public double PrefillSeconds(double tokens)
    {
        double products = 2 * ((tokens * _layerParameters) + _headParameters) / _productRate;
        double attention = tokens * AttentionOperations(tokens / 2) / limits.FloatOperations;
        return Math.Max(stepBytes / limits.ReadBytes, products + attention);
    }

    private static long LayerParameters(ModelConfig config)
    {
        long hidden = config.HiddenSize, queries = (long)config.AttentionHeads * config.HeadDim, keys = (long)config.KeyValueHeads * config.HeadDim;
        return (hidden * (queries + (2 * keys))) + (queries * hidden) + (3 * hidden * config.IntermediateSize);
    }

    /// <summary>Scores and weighted values of one query row over all layers and heads.</summary>
    private double AttentionOperations(double context) => 4.0 * config.Layers * config.AttentionHeads * config.HeadDim * context;
}

/// <summary>What the machine was measured to do, on the threads of the run.</summary>
/// <param name="ReadBytes">Bytes read from memory per second.</param>
/// <param name="FloatOperations">Float32 multiplications and additions per second.</param>
/// <param name="IntegerOperations">8-bit multiplications and additions per second.</param>
/// <param name="Bf16Operations">bf16 multiplications and additions per second by dot products; 0 where the CPU has none.</param>
internal readonly record struct MachineLimits(double ReadBytes, double FloatOperations, double IntegerOperations, double Bf16Operations);
