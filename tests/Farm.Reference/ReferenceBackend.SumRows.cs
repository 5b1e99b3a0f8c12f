using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void SumRows(Tensor input, Tensor sum)
    {
        Check.Type(nameof(SumRows), nameof(input), input, DType.F32);
        Check.Shape(nameof(SumRows), nameof(sum), sum, DType.F32, 1, input.Columns);
        double[] total = TensorIO.ReadRow(sum, 0);
        for (int t = 0; t < input.Rows; t++)
        {
            AddTo(total, TensorIO.ReadRow(input, t));
        }

        TensorIO.WriteRow(sum, 0, total);
    }
}
