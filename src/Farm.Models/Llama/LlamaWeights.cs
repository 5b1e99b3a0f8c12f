using Farm.Core;

namespace Farm.Models.Llama;

/// <summary>All weights of a decoder on its device.</summary>
internal sealed class LlamaWeights(Arena arena, int layers) : IDisposable
{
    /// <summary>The decoder layers, filled one by one while loading.</summary>
    public LlamaLayer[] Layers { get; } = new LlamaLayer[layers];

    /// <summary>Row-major embedding, F32 or BF16 [V, H]; none where the packed language head serves.</summary>
    public Tensor EmbeddingTable { get; set; }

    /// <summary>RMSNorm after the last layer, F32 [1, H].</summary>
    public Tensor FinalNorm { get; set; }

    /// <summary>H to V; null where it was left out.</summary>
    public LinearWeight? LanguageHead { get; set; }

    /// <summary>Rotary cosines, F32 [positions, headDim / 2].</summary>
    public Tensor Cosine { get; set; }

    /// <summary>Rotary sines, like <see cref="Cosine"/>.</summary>
    public Tensor Sine { get; set; }

    /// <summary>Bytes that one decode step streams.</summary>
    public long StepBytes => Layers.Sum(layer => layer.Bytes) + (LanguageHead?.Bytes ?? 0);

    /// <summary>Bytes of everything.</summary>
    public long Bytes => StepBytes + arena.Used;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var layer in Layers)
        {
            layer?.Dispose();
        }

        LanguageHead?.Dispose();
        arena.Dispose();
    }
}
