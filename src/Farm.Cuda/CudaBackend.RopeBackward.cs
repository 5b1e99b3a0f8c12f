using Farm.Core;
using Farm.Cuda.Launch;

namespace Farm.Cuda;

public sealed partial class CudaBackend
{
    /// <inheritdoc/>
    public void RopeBackward(Tensor qkvGradient, int queryHeads, int kvHeads, Tensor positions, Tensor cosine, Tensor sine)
    {
        const string Op = nameof(RopeBackward);
        int half = cosine.Columns, pairs = (queryHeads + kvHeads) * half;
        RequireF32(qkvGradient, qkvGradient.Rows, (queryHeads + (2 * kvHeads)) * half * 2, Op, nameof(qkvGradient));
        RequireI32(positions, qkvGradient.Rows, Op, nameof(positions));
        RequireF32(cosine, cosine.Rows, half, Op, nameof(cosine));
        RequireF32(sine, cosine.Rows, half, Op, nameof(sine));
        Require(cosine.IsContiguous && sine.IsContiguous, Op, "cosine and sine are contiguous", nameof(cosine));
        Launch(TrainingKernels.RopeBackward, new Grid(qkvGradient.Rows, Grid.Over(pairs, 256)), qkvGradient, positions, cosine, sine, qkvGradient.Stride, pairs, half);
    }
}
