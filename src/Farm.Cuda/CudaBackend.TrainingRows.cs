using Farm.Core;
using Farm.Cuda.Launch;

namespace Farm.Cuda;

public sealed partial class CudaBackend
{
    private const int SummedRows = 256;

    /// <inheritdoc/>
    public void AddBias(Tensor bias, Tensor output)
    {
        RequireF32(output, output.Rows, output.Columns, nameof(AddBias), nameof(output));
        RequireF32(bias, 1, output.Columns, nameof(AddBias), nameof(bias));
        Launch(TrainingKernels.AddBias, new Grid(output.Rows, Grid.Over(output.Columns, 1024)), bias, output, output.Stride, output.Columns);
    }

    /// <inheritdoc/>
    public void SumRows(Tensor input, Tensor sum)
    {
        RequireF32(input, input.Rows, input.Columns, nameof(SumRows), nameof(input));
        RequireF32(sum, 1, input.Columns, nameof(SumRows), nameof(sum));
        int blocks = Grid.Over(input.Rows, SummedRows);
        if (blocks == 0)
        {
            return;
        }

        _scratch.Reset();
        nint partial = Scratch((long)blocks * input.Columns * sizeof(float));
        Launch(TrainingKernels.SumRowsBlocks, new Grid(blocks, Grid.Over(input.Columns, 32)), input, partial, input.Stride, input.Rows, input.Columns);
        Launch(TrainingKernels.SumRowsFinish, new Grid(Grid.Over(input.Columns, 256)), partial, sum, blocks, input.Columns);
    }

    /// <inheritdoc/>
    public void Scale(Tensor source, float scale, Tensor destination, bool accumulate = false)
    {
        RequireF32(source, source.Rows, source.Columns, nameof(Scale), nameof(source));
        RequireF32(destination, source.Rows, source.Columns, nameof(Scale), nameof(destination));
        Launch(TrainingKernels.ScaleRows, new Grid(source.Rows, Grid.Over(source.Columns, 1024)), source, destination, source.Stride, destination.Stride, source.Columns, scale,
            accumulate ? 1 : 0);
    }
}
