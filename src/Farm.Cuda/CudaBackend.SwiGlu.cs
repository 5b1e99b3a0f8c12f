using Farm.Core;
using Farm.Cuda.Launch;

namespace Farm.Cuda;

public sealed partial class CudaBackend
{
    /// <inheritdoc/>
    public void SwiGlu(Tensor gateUp, Tensor output)
    {
        RequireF32(gateUp, output.Rows, output.Columns * 2, nameof(SwiGlu), nameof(gateUp));
        RequireF32(output, output.Rows, output.Columns, nameof(SwiGlu), nameof(output));
        Launch(TrainingKernels.SwiGlu, new Grid(output.Rows, Grid.Over(output.Columns, 1024)), gateUp, output, gateUp.Stride, output.Stride, output.Columns);
    }

    /// <inheritdoc/>
    public void SwiGluBackward(Tensor gateUp, Tensor outputGradient, Tensor gateUpGradient)
    {
        const string Op = nameof(SwiGluBackward);
        int rows = outputGradient.Rows, columns = outputGradient.Columns;
        RequireF32(outputGradient, rows, columns, Op, nameof(outputGradient));
        RequireF32(gateUp, rows, columns * 2, Op, nameof(gateUp));
        RequireF32(gateUpGradient, rows, columns * 2, Op, nameof(gateUpGradient));
        Launch(TrainingKernels.SwiGluBackward, new Grid(rows, Grid.Over(columns, 1024)), gateUp, outputGradient, gateUpGradient, gateUp.Stride, outputGradient.Stride,
            gateUpGradient.Stride, columns);
    }
}
