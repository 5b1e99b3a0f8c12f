using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public double SumOfSquares(Tensor tensor)
    {
        Check.Type(nameof(SumOfSquares), nameof(tensor), tensor, DType.F32);
        Check.That(tensor.IsContiguous, nameof(SumOfSquares), $"{tensor} is not contiguous");
        double sum = 0;
        for (int t = 0; t < tensor.Rows; t++)
        {
            double[] row = TensorIO.ReadRow(tensor, t);
            sum += Dot(row, row);
        }

        return sum;
    }
}
