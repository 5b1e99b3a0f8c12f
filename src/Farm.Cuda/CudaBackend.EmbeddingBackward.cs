using Farm.Core;
using Farm.Cuda.Launch;

namespace Farm.Cuda;

public sealed partial class CudaBackend
{
    /// <inheritdoc/>
    public void EmbeddingBackward(Tensor ids, Tensor outputGradient, Tensor tableGradient)
    {
        const string Op = nameof(EmbeddingBackward);
        RequireI32(ids, outputGradient.Rows, Op, nameof(ids));
        RequireF32(outputGradient, outputGradient.Rows, tableGradient.Columns, Op, nameof(outputGradient));
        RequireF32(tableGradient, tableGradient.Rows, tableGradient.Columns, Op, nameof(tableGradient));
        Launch(TrainingKernels.EmbeddingBackward, new Grid(outputGradient.Rows, Grid.Over(tableGradient.Columns, 1024)), ids, outputGradient, tableGradient, outputGradient.Stride,
            tableGradient.Stride, outputGradient.Rows, tableGradient.Columns);
    }
}
