using Farm.Core;
using Farm.Models.Configuration;

namespace Farm.Models.Llama;

/// <summary>The activations of one forward pass, allocated once for a largest number of rows and used again by every pass.</summary>
public sealed class LlamaWorkspace : IDisposable
{
    private readonly Arena _arena;

    /// <summary>Room for passes of up to <paramref name="maxRows"/> rows and logits of up to <paramref name="maxLogitRows"/> of them (0 for none).</summary>
    public LlamaWorkspace(IBackend backend, ModelConfig config, int maxRows, int maxLogitRows)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxRows, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(maxLogitRows);
        _arena = new Arena(backend, BytesFor(config, maxRows, maxLogitRows));
        Ids = _arena.Take(DType.I32, 1, maxRows);
        Positions = _arena.Take(DType.I32, 1, maxRows);
        Slots = _arena.Take(DType.I32, 1, maxRows);
        Hidden = _arena.Take(DType.F32, maxRows, config.HiddenSize);
        Qkv = _arena.Take(DType.F32, maxRows, QkvWidth(config));
        Attention = _arena.Take(DType.F32, maxRows, config.QueryWidth);
        Mlp = _arena.Take(DType.F32, maxRows, config.IntermediateSize);
        Logits = _arena.Take(DType.F32, maxLogitRows, config.VocabularySize);
    }

    /// <summary>Rows of the largest pass.</summary>
    public int MaxRows => Hidden.Rows;

    /// <summary>Rows of the largest call for logits.</summary>
    public int MaxLogitRows => Logits.Rows;

    /// <summary>The residual stream, F32 [MaxRows, H].</summary>
    public Tensor Hidden { get; }

    /// <summary>Logits, F32 [MaxLogitRows, V].</summary>
    public Tensor Logits { get; }

    internal Tensor Ids { get; }

    internal Tensor Positions { get; }

    internal Tensor Slots { get; }

    internal Tensor Qkv { get; }

    internal Tensor Attention { get; }

    internal Tensor Mlp { get; }

    /// <summary>Bytes that a workspace takes.</summary>
    public static long BytesFor(ModelConfig config, int maxRows, int maxLogitRows)
    {
        ArgumentNullException.ThrowIfNull(config);
        return (3 * Arena.SizeOf(DType.I32, 1, maxRows))
            + Arena.SizeOf(DType.F32, maxRows, config.HiddenSize)
            + Arena.SizeOf(DType.F32, maxRows, QkvWidth(config))
            + Arena.SizeOf(DType.F32, maxRows, config.QueryWidth)
            + Arena.SizeOf(DType.F32, maxRows, config.IntermediateSize)
            + Arena.SizeOf(DType.F32, maxLogitRows, config.VocabularySize);
    }

    /// <inheritdoc/>
    public void Dispose() => _arena.Dispose();

    private static int QkvWidth(ModelConfig config) => (config.AttentionHeads + (2 * config.KeyValueHeads)) * config.HeadDim;
}
