using Farm.Core;

namespace Farm.Reference.Tests;

/// <summary>A fault of the kind that training kernels have.</summary>
public enum TrainingFault
{
    None,
    MatMulForgetsAccumulation,
    MatMulDropsTheLastProduct,
    MatMulRoundsToBfloat16,
    MatMulWritesBeside,
    RmsNormBackwardOverwrites,
    RmsNormBackwardForgetsEpsilon,
    RmsNormBackwardCountsARowTwice,
    RopeBackwardTurnsForward,
    AttentionJoinsSequences,
    AttentionBackwardForgetsOwnTerm,
    AttentionBackwardJoinsSequences,
    SwiGluBackwardReadsWhatItWrote,
    EmbeddingBackwardKeepsTheLastOfEqualIds,
    CrossEntropyCountsIgnoredRows,
    CrossEntropyForgetsScales,
    CrossEntropyOverwrites,
    SumOfSquaresInSingle,
    AdamWForgetsDecay,
    AdamWForgetsBiasCorrection,
    AdamWForgetsGradientScale,
    ThreadsChangeTheResult,
}

/// <summary>The reference with one fault put in, to show that the training suite notices it.</summary>
public sealed class FaultyTrainingBackend(TrainingFault fault, int threads) : FaultyBackend(Fault.None, threads), ITrainingBackend
{
    private readonly ReferenceBackend _right = new();
    private readonly int _threads = threads;

    public void MatMul(Tensor a, bool transposeA, Tensor b, bool transposeB, Tensor c, bool accumulate = false)
    {
        using var hand = new HandBackend();
        if (fault == TrainingFault.MatMulDropsTheLastProduct && a.Rows > 0 && a.Columns > 0)
        {
            a = transposeA ? a.SliceRows(0, a.Rows - 1) : a.SliceColumns(0, a.Columns - 1);
            b = transposeB ? b.SliceColumns(0, b.Columns - 1) : b.SliceRows(0, b.Rows - 1);
        }

        if (fault == TrainingFault.MatMulRoundsToBfloat16 && a.Count > 0)
        {
            a = hand.Real(a.Rows, [.. Rows(a).SelectMany(row => row).Select(BFloat16.Round)]);
        }

        _right.MatMul(a, transposeA, b, transposeB, c, accumulate && fault != TrainingFault.MatMulForgetsAccumulation);
        if (fault == TrainingFault.MatMulWritesBeside && c.Stride > c.Columns && c.Rows > 0)
        {
            _right.Upload<float>([0f], new Tensor(c.Address + (c.Columns * sizeof(float)), DType.F32, 1, 1, 1));
        }

        if (fault == TrainingFault.ThreadsChangeTheResult && _threads == 3)
        {
            _right.Scale(c, 1 + 1.2e-7f, c);
        }
    }

    public void AddBias(Tensor bias, Tensor output) => _right.AddBias(bias, output);

    public void SumRows(Tensor input, Tensor sum) => _right.SumRows(input, sum);

    public void Scale(Tensor source, float scale, Tensor destination, bool accumulate = false) =>
        _right.Scale(source, scale, destination, accumulate);

    public void RmsNormBackward(Tensor input, Tensor weight, float epsilon, Tensor outputGradient, Tensor inputGradient, Tensor weightGradient)
    {
        if (fault == TrainingFault.RmsNormBackwardOverwrites)
        {
            Zero(inputGradient);
        }

        _right.RmsNormBackward(input, weight, fault == TrainingFault.RmsNormBackwardForgetsEpsilon ? 0 : epsilon, outputGradient,
            inputGradient, weightGradient);
        if (fault == TrainingFault.RmsNormBackwardCountsARowTwice && input.Rows > 0)
        {
            using var hand = new HandBackend();
            _right.RmsNormBackward(input.SliceRows(0, 1), weight, epsilon, outputGradient.SliceRows(0, 1),
                hand.Real(1, new float[input.Columns]), weightGradient);
        }
    }

    public void RopeBackward(Tensor qkvGradient, int queryHeads, int kvHeads, Tensor positions, Tensor cosine, Tensor sine)
    {
        if (fault == TrainingFault.RopeBackwardTurnsForward)
        {
            _right.RopeAppendKv(qkvGradient, queryHeads, kvHeads, positions, cosine, sine, null, 0, default);
            return;
        }

        _right.RopeBackward(qkvGradient, queryHeads, kvHeads, positions, cosine, sine);
    }

    public void AttentionTrain(Tensor qkv, int queryHeads, int kvHeads, Tensor starts, float scale, Tensor output, Tensor logSumExp)
    {
        using var hand = new HandBackend();
        _right.AttentionTrain(qkv, queryHeads, kvHeads, fault == TrainingFault.AttentionJoinsSequences ? hand.Ints(1, 0, qkv.Rows) : starts,
            scale, output, logSumExp);
    }

    public void AttentionBackward(Tensor qkv, int queryHeads, int kvHeads, Tensor starts, float scale, Tensor output, Tensor logSumExp,
        Tensor outputGradient, Tensor qkvGradient)
    {
        using var hand = new HandBackend();
        bool forgets = fault == TrainingFault.AttentionBackwardForgetsOwnTerm && output.Rows > 0;
        _right.AttentionBackward(qkv, queryHeads, kvHeads,
            fault == TrainingFault.AttentionBackwardJoinsSequences ? hand.Ints(1, 0, qkv.Rows) : starts, scale,
            forgets ? hand.Real(output.Rows, new float[output.Count]) : output, logSumExp, outputGradient, qkvGradient);
    }

    public void SwiGlu(Tensor gateUp, Tensor output) => _right.SwiGlu(gateUp, output);

    public void SwiGluBackward(Tensor gateUp, Tensor outputGradient, Tensor gateUpGradient)
    {
        _right.SwiGluBackward(gateUp, outputGradient, gateUpGradient);
        if (fault == TrainingFault.SwiGluBackwardReadsWhatItWrote && gateUp.Address == gateUpGradient.Address)
        {
            _right.SwiGluBackward(gateUp, outputGradient, gateUpGradient);
        }
    }

    public void EmbeddingBackward(Tensor ids, Tensor outputGradient, Tensor tableGradient)
    {
        if (fault != TrainingFault.EmbeddingBackwardKeepsTheLastOfEqualIds || ids.Columns != outputGradient.Rows || ids.DType != DType.I32)
        {
            _right.EmbeddingBackward(ids, outputGradient, tableGradient);
            return;
        }

        using var hand = new HandBackend();
        int[] index = hand.ReadInts(ids);
        for (int t = 0; t < index.Length; t++)
        {
            if (Array.LastIndexOf(index, index[t]) == t)
            {
                _right.EmbeddingBackward(ids.SliceColumns(t, 1), outputGradient.SliceRows(t, 1), tableGradient);
            }
        }
    }

    public void LinearCrossEntropy(Tensor hidden, Tensor weight, Tensor labels, Tensor scales, Tensor losses, Tensor hiddenGradient = default,
        Tensor weightGradient = default)
    {
        using var hand = new HandBackend();
        if (fault == TrainingFault.CrossEntropyCountsIgnoredRows && labels.Count > 0)
        {
            labels = hand.Ints(1, [.. hand.ReadInts(labels).Select(l => Math.Max(l, 0))]);
        }

        if (fault == TrainingFault.CrossEntropyForgetsScales && scales.Count > 0)
        {
            scales = hand.Real(1, [.. Enumerable.Repeat(1f, scales.Columns)]);
        }

        if (fault == TrainingFault.CrossEntropyOverwrites)
        {
            Zero(weightGradient);
        }

        _right.LinearCrossEntropy(hidden, weight, labels, scales, losses, hiddenGradient, weightGradient);
    }

    public double SumOfSquares(Tensor tensor)
    {
        double sum = _right.SumOfSquares(tensor);
        return fault == TrainingFault.SumOfSquaresInSingle ? (float)sum : sum;
    }

    public void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep update) =>
        _right.AdamW(parameter, gradient, firstMoment, secondMoment, fault switch
        {
            TrainingFault.AdamWForgetsDecay => update with { WeightDecay = 0 },
            TrainingFault.AdamWForgetsBiasCorrection => update with { Step = 1_000_000 },
            TrainingFault.AdamWForgetsGradientScale => update with { GradientScale = 1 },
            _ => update,
        });

    private static IEnumerable<float[]> Rows(Tensor tensor)
    {
        using var hand = new HandBackend();
        return [.. Enumerable.Range(0, tensor.Rows).Select(t => hand.Read(tensor.SliceRows(t, 1) with { Stride = tensor.Columns }))];
    }

    private void Zero(Tensor tensor)
    {
        for (int t = 0; t < tensor.Rows; t++)
        {
            _right.Upload<float>(new float[tensor.Columns], tensor.SliceRows(t, 1) with { Stride = tensor.Columns });
        }
    }
}
