using Farm.Core;

namespace Farm.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public void MatMul(Tensor a, bool transposeA, Tensor b, bool transposeB, Tensor c, bool accumulate = false)
    {
        const string Op = nameof(MatMul);
        int m = transposeA ? a.Columns : a.Rows, k = transposeA ? a.Rows : a.Columns;
        int n = transposeB ? b.Rows : b.Columns, kb = transposeB ? b.Columns : b.Rows;
        Require(k == kb, Op, "the inner sizes of a and b agree", nameof(b));
        RequireF32(a, a.Rows, a.Columns, Op, nameof(a));
        Require(b.DType is DType.F32 or DType.BF16, Op, "b is F32 or BF16", nameof(b));
        RequireF32(c, m, n, Op, nameof(c));
        Check(NativeTraining.farm_matmul(Context, Matrix(a, transposeA), Matrix(b, transposeB), c.Address, c.Stride, m, n, k, accumulate ? 1 : 0));
    }

    /// <inheritdoc/>
    public void AddBias(Tensor bias, Tensor output)
    {
        RequireF32(output, output.Rows, output.Columns, nameof(AddBias), nameof(output));
        RequireF32(bias, 1, output.Columns, nameof(AddBias), nameof(bias));
        Check(NativeTraining.farm_add_bias(Context, bias.Address, output.Address, output.Stride, output.Rows, output.Columns));
    }

    /// <inheritdoc/>
    public void SumRows(Tensor input, Tensor sum)
    {
        RequireF32(input, input.Rows, input.Columns, nameof(SumRows), nameof(input));
        RequireF32(sum, 1, input.Columns, nameof(SumRows), nameof(sum));
        Check(NativeTraining.farm_sum_rows(Context, input.Address, input.Stride, input.Rows, input.Columns, sum.Address));
    }

    /// <inheritdoc/>
    public void Scale(Tensor source, float scale, Tensor destination, bool accumulate = false)
    {
        RequireF32(source, source.Rows, source.Columns, nameof(Scale), nameof(source));
        RequireF32(destination, source.Rows, source.Columns, nameof(Scale), nameof(destination));
        Check(NativeTraining.farm_scale(Context, source.Address, source.Stride, scale, destination.Address, destination.Stride, source.Rows, source.Columns, accumulate ? 1 : 0));
    }

    /// <inheritdoc/>
    public void RmsNormBackward(Tensor input, Tensor weight, float epsilon, Tensor outputGradient, Tensor inputGradient, Tensor weightGradient)
    {
        const string Op = nameof(RmsNormBackward);
        RequireF32(input, input.Rows, input.Columns, Op, nameof(input));
        RequireF32(weight, 1, input.Columns, Op, nameof(weight));
        RequireF32(outputGradient, input.Rows, input.Columns, Op, nameof(outputGradient));
        RequireF32(inputGradient, input.Rows, input.Columns, Op, nameof(inputGradient));
        if (!weightGradient.IsNone)
        {
            RequireF32(weightGradient, 1, input.Columns, Op, nameof(weightGradient));
        }

        Check(NativeTraining.farm_rms_norm_backward(Context, input.Address, input.Stride, weight.Address, epsilon, outputGradient.Address, outputGradient.Stride,
            inputGradient.Address, inputGradient.Stride, weightGradient.Address, input.Rows, input.Columns));
    }

    /// <inheritdoc/>
    public void RopeBackward(Tensor qkvGradient, int queryHeads, int kvHeads, Tensor positions, Tensor cosine, Tensor sine)
    {
        const string Op = nameof(RopeBackward);
        int half = cosine.Columns;
        RequireF32(qkvGradient, qkvGradient.Rows, (queryHeads + (2 * kvHeads)) * half * 2, Op, nameof(qkvGradient));
        RequireI32(positions, qkvGradient.Rows, Op, nameof(positions));
        RequireF32(cosine, cosine.Rows, half, Op, nameof(cosine));
        RequireF32(sine, cosine.Rows, half, Op, nameof(sine));
        Require(cosine.IsContiguous && sine.IsContiguous, Op, "cosine and sine are contiguous", nameof(cosine));
        Check(NativeTraining.farm_rope_backward(Context, qkvGradient.Address, qkvGradient.Stride, qkvGradient.Rows, queryHeads + kvHeads, half * 2, positions.Address, cosine.Address, sine.Address));
    }

    /// <inheritdoc/>
    public void AttentionTrain(Tensor qkv, int queryHeads, int kvHeads, Tensor starts, float scale, Tensor output, Tensor logSumExp)
    {
        var args = AttentionArgs(nameof(AttentionTrain), qkv, queryHeads, kvHeads, starts, scale, output, logSumExp);
        Check(NativeTraining.farm_attention_train(Context, args));
    }

    /// <inheritdoc/>
    public void AttentionBackward(Tensor qkv, int queryHeads, int kvHeads, Tensor starts, float scale, Tensor output, Tensor logSumExp, Tensor outputGradient, Tensor qkvGradient)
    {
        const string Op = nameof(AttentionBackward);
        var args = AttentionArgs(Op, qkv, queryHeads, kvHeads, starts, scale, output, logSumExp);
        RequireF32(outputGradient, output.Rows, output.Columns, Op, nameof(outputGradient));
        RequireF32(qkvGradient, qkv.Rows, qkv.Columns, Op, nameof(qkvGradient));
        args.OutputGradient = outputGradient.Address;
        args.OutputGradientStride = outputGradient.Stride;
        args.QkvGradient = qkvGradient.Address;
        args.QkvGradientStride = qkvGradient.Stride;
        Check(NativeTraining.farm_attention_backward(Context, args));
    }

    /// <inheritdoc/>
    public void SwiGlu(Tensor gateUp, Tensor output)
    {
        RequireF32(gateUp, output.Rows, output.Columns * 2, nameof(SwiGlu), nameof(gateUp));
        RequireF32(output, output.Rows, output.Columns, nameof(SwiGlu), nameof(output));
        Check(NativeTraining.farm_swiglu(Context, gateUp.Address, gateUp.Stride, output.Address, output.Stride, output.Rows, output.Columns));
    }

    /// <inheritdoc/>
    public void SwiGluBackward(Tensor gateUp, Tensor outputGradient, Tensor gateUpGradient)
    {
        const string Op = nameof(SwiGluBackward);
        RequireF32(outputGradient, outputGradient.Rows, outputGradient.Columns, Op, nameof(outputGradient));
        RequireF32(gateUp, outputGradient.Rows, outputGradient.Columns * 2, Op, nameof(gateUp));
        RequireF32(gateUpGradient, outputGradient.Rows, outputGradient.Columns * 2, Op, nameof(gateUpGradient));
        Check(NativeTraining.farm_swiglu_backward(Context, gateUp.Address, gateUp.Stride, outputGradient.Address, outputGradient.Stride,
            gateUpGradient.Address, gateUpGradient.Stride, outputGradient.Rows, outputGradient.Columns));
    }

    /// <inheritdoc/>
    public void EmbeddingBackward(Tensor ids, Tensor outputGradient, Tensor tableGradient)
    {
        const string Op = nameof(EmbeddingBackward);
        RequireI32(ids, outputGradient.Rows, Op, nameof(ids));
        RequireF32(outputGradient, outputGradient.Rows, tableGradient.Columns, Op, nameof(outputGradient));
        RequireF32(tableGradient, tableGradient.Rows, tableGradient.Columns, Op, nameof(tableGradient));
        Check(NativeTraining.farm_embedding_backward(Context, ids.Address, outputGradient.Address, outputGradient.Stride, tableGradient.Address, tableGradient.Stride, outputGradient.Rows, tableGradient.Columns));
    }

    /// <inheritdoc/>
    public void LinearCrossEntropy(Tensor hidden, Tensor weight, Tensor labels, Tensor scales, Tensor losses, Tensor hiddenGradient = default, Tensor weightGradient = default)
    {
        const string Op = nameof(LinearCrossEntropy);
        int rows = hidden.Rows;
        RequireF32(hidden, rows, weight.Columns, Op, nameof(hidden));
        Require(weight.DType is DType.F32 or DType.BF16 && weight.Rows > 0, Op, "the weight is F32 or BF16 and not empty", nameof(weight));
        RequireI32(labels, rows, Op, nameof(labels));
        RequireF32(scales, 1, rows, Op, nameof(scales));
        RequireF32(losses, 1, rows, Op, nameof(losses));
        if (!hiddenGradient.IsNone)
        {
            RequireF32(hiddenGradient, rows, weight.Columns, Op, nameof(hiddenGradient));
        }

        if (!weightGradient.IsNone)
        {
            RequireF32(weightGradient, weight.Rows, weight.Columns, Op, nameof(weightGradient));
        }

        Check(NativeTraining.farm_linear_cross_entropy(Context, new NativeTraining.CrossEntropyArgs
        {
            Hidden = hidden.Address,
            Weight = Matrix(weight, false),
            Labels = labels.Address,
            Scales = scales.Address,
            Losses = losses.Address,
            HiddenGradient = hiddenGradient.Address,
            WeightGradient = weightGradient.Address,
            Rows = rows,
            Columns = weight.Columns,
            Vocabulary = weight.Rows,
            HiddenStride = hidden.Stride,
            HiddenGradientStride = hiddenGradient.Stride,
            WeightGradientStride = weightGradient.Stride,
        }));
    }

    /// <inheritdoc/>
    public double SumOfSquares(Tensor tensor)
    {
        Require(tensor.DType == DType.F32 && tensor.IsContiguous, nameof(SumOfSquares), "the tensor is F32 and contiguous", nameof(tensor));
        Check(NativeTraining.farm_sum_of_squares(Context, tensor.Address, tensor.Count, out double sum));
        return sum;
    }

    /// <inheritdoc/>
    public void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep update)
    {
        const string Op = nameof(AdamW);
        Require(parameter.IsContiguous && gradient.IsContiguous && firstMoment.IsContiguous && secondMoment.IsContiguous, Op, "the tensors are contiguous", nameof(parameter));
        RequireF32(parameter, parameter.Rows, parameter.Columns, Op, nameof(parameter));
        RequireF32(gradient, parameter.Rows, parameter.Columns, Op, nameof(gradient));
        RequireF32(firstMoment, parameter.Rows, parameter.Columns, Op, nameof(firstMoment));
        RequireF32(secondMoment, parameter.Rows, parameter.Columns, Op, nameof(secondMoment));
        Require(update.Step >= 1, Op, "the first step is 1", nameof(update));
        Check(NativeTraining.farm_adamw(Context, new NativeTraining.AdamWArgs
        {
            Parameter = parameter.Address,
            Gradient = gradient.Address,
            FirstMoment = firstMoment.Address,
            SecondMoment = secondMoment.Address,
            Count = parameter.Count,
            Step = update.Step,
            LearningRate = update.LearningRate,
            Beta1 = update.Beta1,
            Beta2 = update.Beta2,
            Epsilon = update.Epsilon,
            WeightDecay = update.WeightDecay,
            GradientScale = update.GradientScale,
        }));
    }

    private static NativeTraining.Matrix Matrix(Tensor tensor, bool transposed) =>
        new() { Data = tensor.Address, DType = (int)tensor.DType, Stride = tensor.Stride, Transposed = transposed ? 1 : 0 };

    private static NativeTraining.AttentionArgs AttentionArgs(string op, Tensor qkv, int queryHeads, int kvHeads, Tensor starts, float scale, Tensor output, Tensor logSumExp)
    {
        Require(queryHeads > 0 && kvHeads > 0 && queryHeads % kvHeads == 0, op, "query heads are a multiple of key/value heads", nameof(queryHeads));
        int heads = queryHeads + (2 * kvHeads), headDim = qkv.Columns / heads;
        RequireF32(qkv, qkv.Rows, heads * headDim, op, nameof(qkv));
        RequireF32(output, qkv.Rows, queryHeads * headDim, op, nameof(output));
        RequireF32(logSumExp, qkv.Rows, queryHeads, op, nameof(logSumExp));
        Require(logSumExp.IsContiguous, op, "logSumExp is contiguous", nameof(logSumExp));
        Require(starts.Count >= 1, op, "starts has one more entry than there are sequences", nameof(starts));
        RequireI32(starts, (int)starts.Count, op, nameof(starts));
        return new NativeTraining.AttentionArgs
        {
            Qkv = qkv.Address,
            Output = output.Address,
            LogSumExp = logSumExp.Address,
            Starts = starts.Address,
            Sequences = (int)starts.Count - 1,
            QueryHeads = queryHeads,
            KvHeads = kvHeads,
            HeadDim = headDim,
            QkvStride = qkv.Stride,
            OutputStride = output.Stride,
            Scale = scale,
        };
    }
}
