using System.Runtime.InteropServices;
using Farm.Core;
using Farm.Cuda.Launch;

namespace Farm.Cuda;

public sealed partial class CudaBackend
{
    /// <inheritdoc/>
    public double SumOfSquares(Tensor tensor)
    {
        Require(tensor.DType == DType.F32 && tensor.IsContiguous, nameof(SumOfSquares), "the tensor is F32 and contiguous", nameof(tensor));
        if (tensor.Count == 0)
        {
            return 0;
        }

        _scratch.Reset();
        int blocks = Grid.Over(tensor.Count, 16384);
        nint partial = Scratch((long)blocks * sizeof(double)), total = Scratch(sizeof(double));
        Launch(TrainingKernels.SumOfSquaresBlocks, new Grid(blocks), tensor, partial, tensor.Count);
        Launch(TrainingKernels.SumOfSquaresFinish, new Grid(1), partial, total, blocks);
        double sum = 0;
        if (_scratch.Measures)
        {
            return sum;
        }

        _staging.Download(total, MemoryMarshal.AsBytes(new Span<double>(ref sum)));
        return sum;
    }

    /// <inheritdoc/>
    public void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep update) =>
        AdamW(parameter, gradient, firstMoment, secondMoment, update, default);

    /// <summary>The same, and the new parameter rounded to bfloat16 into <paramref name="rounded"/> where given: the weight that products read, beside its float32 master.</summary>
    public void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep update, Tensor rounded)
    {
        const string Op = nameof(AdamW);
        Require(parameter.IsContiguous && gradient.IsContiguous && firstMoment.IsContiguous && secondMoment.IsContiguous, Op, "the tensors are contiguous", nameof(parameter));
        RequireF32(parameter, parameter.Rows, parameter.Columns, Op, nameof(parameter));
        RequireF32(gradient, parameter.Rows, parameter.Columns, Op, nameof(gradient));
        RequireF32(firstMoment, parameter.Rows, parameter.Columns, Op, nameof(firstMoment));
        RequireF32(secondMoment, parameter.Rows, parameter.Columns, Op, nameof(secondMoment));
        Require(update.Step >= 1, Op, "the first step is 1", nameof(update));
        Require(rounded.IsNone || (rounded.DType == DType.BF16 && rounded.IsContiguous && rounded.Count == parameter.Count), Op, "the rounded copy is BF16, contiguous and of the parameter's size", nameof(rounded));
        double correction1 = 1 - Math.Pow(update.Beta1, update.Step), correction2 = 1 - Math.Pow(update.Beta2, update.Step);
        float decay = 1f - (update.LearningRate * update.WeightDecay);
        bool wide = (parameter.Address | gradient.Address | firstMoment.Address | secondMoment.Address) % 16 == 0;
        Launch(TrainingKernels.AdamW, new Grid(Grid.Over(parameter.Count, 1024)), parameter, gradient, firstMoment, secondMoment, rounded, parameter.Count, update.Beta1, update.Beta2,
            (float)(1 / correction1), (float)(1 / correction2), update.LearningRate, decay, update.Epsilon, update.GradientScale, wide ? 1 : 0);
    }
}
