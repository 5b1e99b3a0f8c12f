namespace Farm.Core;

/// <summary>
/// The operations of training: products of plain row-major matrices, and the backward of every forward operation. Parameters and gradients
/// are plain F32 tensors. "Accumulates" means output += result. The conventions of <see cref="IBackend"/> hold; sums over rows (weight gradients) are in
/// a fixed order that does not depend on the number of threads.
/// </summary>
public interface ITrainingBackend : IBackend
{
    /// <summary>
    /// c [M, N] = op(a) op(b) (+ c where <paramref name="accumulate"/>). a is F32, [M, K] or with <paramref name="transposeA"/> [K, M]; b is F32 or BF16, [K, N] or with
    /// <paramref name="transposeB"/> [N, K]. A linear layer is (x, no, W, yes); its gradients are dX: (dY, no, W, no) and dW: (dY, yes, x, no).
    /// Strided views are allowed for all three. K may be 0: the product is then zero.
    /// </summary>
    void MatMul(Tensor a, bool transposeA, Tensor b, bool transposeB, Tensor c, bool accumulate = false);

    /// <summary>output [T, C] += bias [1, C] on every row.</summary>
    void AddBias(Tensor bias, Tensor output);

    /// <summary>sum [1, C] += the sum of the rows of input [T, C]: the gradient of a bias.</summary>
    void SumRows(Tensor input, Tensor sum);

    /// <summary>destination [T, C] = source * scale (+ destination where <paramref name="accumulate"/>); both F32.</summary>
    void Scale(Tensor source, float scale, Tensor destination, bool accumulate = false);

    /// <summary>
    /// Backward of <see cref="IBackend.RmsNorm"/>: with y = x * r * w, r = 1 / sqrt(mean(x^2) + epsilon), and g = gradient of y:
    /// inputGradient (accumulates) += r * (g w - x * r^2 * mean(g w x)); weightGradient [1, C] (accumulates, none to skip) += sum over rows of g * x * r.
    /// </summary>
    void RmsNormBackward(Tensor input, Tensor weight, float epsilon, Tensor outputGradient, Tensor inputGradient, Tensor weightGradient);

    /// <summary>
    /// The rotation of <see cref="IBackend.RopeAppendKv"/> undone in place on a gradient: queries' and keys' heads turned by minus the angle, values left alone.
    /// </summary>
    void RopeBackward(Tensor qkvGradient, int queryHeads, int kvHeads, Tensor positions, Tensor cosine, Tensor sine);

    /// <summary>
    /// Causal attention within each sequence of a packed batch, after rotation. qkv [T, (queryHeads + 2 kvHeads) * headDim]; sequence s owns
    /// rows starts[s] .. starts[s + 1], starts I32 [1, S + 1]. output [T, queryHeads * headDim]; starts begins at 0, never falls and ends at T; logSumExp [T, queryHeads] keeps log sum exp of the scaled scores for the backward.
    /// </summary>
    void AttentionTrain(Tensor qkv, int queryHeads, int kvHeads, Tensor starts, float scale, Tensor output, Tensor logSumExp);

    /// <summary>
    /// Backward of <see cref="AttentionTrain"/> (Dao, FlashAttention-2, 2023, algorithm 2): probabilities are recomputed block by block from logSumExp, and
    /// nothing of size [T, T] exists. qkvGradient [T, (queryHeads + 2 kvHeads) * headDim] is written, not accumulated.
    /// </summary>
    void AttentionBackward(Tensor qkv, int queryHeads, int kvHeads, Tensor starts, float scale, Tensor output, Tensor logSumExp, Tensor outputGradient, Tensor qkvGradient);

    /// <summary>output [T, I] = silu(gate) * up, where gateUp [T, 2 I] has the gate columns first.</summary>
    void SwiGlu(Tensor gateUp, Tensor output);

    /// <summary>Gradient of <see cref="SwiGlu"/>; gateUpGradient [T, 2 I] is written and may be gateUp itself.</summary>
    void SwiGluBackward(Tensor gateUp, Tensor outputGradient, Tensor gateUpGradient);

    /// <summary>tableGradient [V, C] (accumulates) += outputGradient rows at their ids; equal ids are summed in row order.</summary>
    void EmbeddingBackward(Tensor ids, Tensor outputGradient, Tensor tableGradient);

    /// <summary>
    /// Fused output layer and cross-entropy. hidden [T, C], weight [V, C] (F32 or BF16), labels I32 [1, T], negative = ignored; scales F32 [1, T]: d(objective)/d(loss of row t). losses
    /// [1, T] = -log softmax(hidden weight^T)[label], 0 where ignored. Where given, hiddenGradient [T, C] is written and weightGradient [V, C] accumulates. The logits exist
    /// only for a block of rows at a time, never as [T, V].
    /// </summary>
    void LinearCrossEntropy(Tensor hidden, Tensor weight, Tensor labels, Tensor scales, Tensor losses, Tensor hiddenGradient = default, Tensor weightGradient = default);

    /// <summary>The sum of squares of a contiguous tensor, in float64, in a fixed order; NaN or infinity if an element is.</summary>
    double SumOfSquares(Tensor tensor);

    /// <summary>
    /// One AdamW step on contiguous F32 tensors of one size (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2): g = gradient * gradientScale;
    /// m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; parameter -= lr * weightDecay * parameter + lr * (m / (1 - b1^step)) / (sqrt(v / (1 - b2^step)) + epsilon).
    /// </summary>
    void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep update);
}

/// <summary>The numbers of one AdamW step.</summary>
/// <param name="Step">1 for the first update.</param>
/// <param name="LearningRate">Learning rate of this step.</param>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to the root of the second moment.</param>
/// <param name="WeightDecay">Decoupled decay, times the learning rate.</param>
/// <param name="GradientScale">Multiplies the gradient first: the clipping factor.</param>
public readonly record struct AdamWStep(int Step, float LearningRate, float Beta1, float Beta2, float Epsilon, float WeightDecay, float GradientScale);
