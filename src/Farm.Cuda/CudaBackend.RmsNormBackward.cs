using Farm.Core;
using Farm.Cuda.Launch;

namespace Farm.Cuda;

public sealed partial class CudaBackend
{
    /// <inheritdoc/>
    public void RmsNormBackward(Tensor input, Tensor weight, float epsilon, Tensor outputGradient, Tensor inputGradient, Tensor weightGradient)
    {
        const string Op = nameof(RmsNormBackward);
        int rows = input.Rows, columns = input.Columns;
        RequireF32(input, rows, columns, Op, nameof(input));
        RequireF32(weight, 1, columns, Op, nameof(weight));
        RequireF32(outputGradient, rows, columns, Op, nameof(outputGradient));
        RequireF32(inputGradient, rows, columns, Op, nameof(inputGradient));
        if (!weightGradient.IsNone)
        {
            RequireF32(weightGradient, 1, columns, Op, nameof(weightGradient));
        }

        if (rows == 0)
        {
            return;
        }

        _scratch.Reset();
        nint factors = Scratch((long)rows * sizeof(float));
        Launch(TrainingKernels.RmsNormBackward, new Grid(rows), input, weight, outputGradient, inputGradient, factors, input.Stride, outputGradient.Stride, inputGradient.Stride,
            columns, epsilon);
        if (weightGradient.IsNone)
        {
            return;
        }

        int blocks = Grid.Over(rows, SummedRows);
        nint partial = Scratch((long)blocks * columns * sizeof(float));
        Launch(TrainingKernels.SumRowsProducts, new Grid(blocks, Grid.Over(columns, 32)), outputGradient, input, factors, partial, outputGradient.Stride, input.Stride, rows, columns);
        Launch(TrainingKernels.SumRowsFinish, new Grid(Grid.Over(columns, 256)), partial, weightGradient, blocks, columns);
    }
}
