using Farm.Core;

namespace Farm.Models.Llama;

/// <summary>The weights of one decoder layer.</summary>
/// <param name="AttentionNorm">RMSNorm before attention, F32 [1, H].</param>
/// <param name="Qkv">Queries, keys and values in one product: H to (heads + 2 kvHeads) * headDim.</param>
/// <param name="QkvBias">Their bias, F32 [1, out], or none.</param>
/// <param name="Output">Attention output: heads * headDim to H.</param>
/// <param name="OutputBias">Its bias, F32 [1, H], or none.</param>
/// <param name="MlpNorm">RMSNorm before the MLP, F32 [1, H].</param>
/// <param name="GateUp">Gate and up with SwiGLU: H to I.</param>
/// <param name="Down">I to H.</param>
internal sealed record LlamaLayer(Tensor AttentionNorm, LinearWeight Qkv, Tensor QkvBias, LinearWeight Output, Tensor OutputBias,
    Tensor MlpNorm, LinearWeight GateUp, LinearWeight Down) : IDisposable
{
    /// <summary>Bytes streamed by one pass.</summary>
    public long Bytes => Qkv.Bytes + Output.Bytes + GateUp.Bytes + Down.Bytes;

    /// <inheritdoc/>
    public void Dispose()
    {
        Qkv.Dispose();
        Output.Dispose();
        GateUp.Dispose();
        Down.Dispose();
    }
}
