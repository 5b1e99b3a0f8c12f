using Farm.Core;

namespace Farm.Cuda;

// Placeholders: each goes when its operation is written in a file of its own.
public sealed partial class CudaBackend
{
    /// <inheritdoc/>
    public void MatMul(Tensor a, bool transposeA, Tensor b, bool transposeB, Tensor c, bool accumulate = false) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void AddBias(Tensor bias, Tensor output) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void SumRows(Tensor input, Tensor sum) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Scale(Tensor source, float scale, Tensor destination, bool accumulate = false) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void RmsNormBackward(Tensor input, Tensor weight, float epsilon, Tensor outputGradient, Tensor inputGradient, Tensor weightGradient) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void RopeBackward(Tensor qkvGradient, int queryHeads, int kvHeads, Tensor positions, Tensor cosine, Tensor sine) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void AttentionTrain(Tensor qkv, int queryHeads, int kvHeads, Tensor starts, float scale, Tensor output, Tensor logSumExp) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void AttentionBackward(Tensor qkv, int queryHeads, int kvHeads, Tensor starts, float scale, Tensor output, Tensor logSumExp, Tensor outputGradient, Tensor qkvGradient) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void SwiGlu(Tensor gateUp, Tensor output) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void SwiGluBackward(Tensor gateUp, Tensor outputGradient, Tensor gateUpGradient) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void EmbeddingBackward(Tensor ids, Tensor outputGradient, Tensor tableGradient) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void LinearCrossEntropy(Tensor hidden, Tensor weight, Tensor labels, Tensor scales, Tensor losses, Tensor hiddenGradient = default, Tensor weightGradient = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public double SumOfSquares(Tensor tensor) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep update) => throw new NotImplementedException();
}
