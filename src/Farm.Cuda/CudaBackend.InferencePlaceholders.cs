using Farm.Core;

namespace Farm.Cuda;

// Placeholders: each goes when its operation is written in a file of its own.
public sealed partial class CudaBackend
{
    /// <inheritdoc/>
    public void Copy(Tensor source, Tensor destination) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void GatherRows(Tensor input, Tensor rows, Tensor output) => throw new NotImplementedException();

    /// <inheritdoc/>
    public LinearWeight PackLinear(IReadOnlyList<IRowSource> parts, DType storage, LinearLayout layout = LinearLayout.Concatenated) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Embedding(Tensor ids, Tensor table, Tensor output) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Embedding(Tensor ids, LinearWeight table, Tensor output) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void RmsNorm(Tensor input, Tensor weight, float epsilon, Tensor output) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Linear(Tensor input, LinearWeight weight, Tensor output, Tensor bias = default, bool accumulate = false, Tensor normWeight = default, float normEpsilon = 0f) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void RopeAppendKv(Tensor qkv, int queryHeads, int kvHeads, Tensor positions, Tensor cosine, Tensor sine, KvPool? pool, int layer, Tensor slots) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Attention(Tensor queries, int queryHeads, KvPool pool, int layer, AttentionPlan plan, float scale, Tensor output) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Sample(Tensor logits, SamplingParameters parameters, ulong seed, Tensor keys, Tensor tokens, Tensor logprobs, Tensor seen = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void LogProbGather(Tensor logits, Tensor ids, float temperature, Tensor logprobs, Tensor entropy = default) => throw new NotImplementedException();
}
