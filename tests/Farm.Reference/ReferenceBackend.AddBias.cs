using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void AddBias(Tensor bias, Tensor output)
    {
        Check.Type(nameof(AddBias), nameof(output), output, DType.F32);
        Check.Shape(nameof(AddBias), nameof(bias), bias, DType.F32, 1, output.Columns);
        double[] offset = TensorIO.ReadRow(bias, 0);
        for (int t = 0; t < output.Rows; t++)
        {
            double[] row = TensorIO.ReadRow(output, t);
            AddTo(row, offset);
            TensorIO.WriteRow(output, t, row);
        }
    }

    // sum += scale * terms
    internal static void AddTo(Span<double> sum, ReadOnlySpan<double> terms, double scale = 1)
    {
        for (int i = 0; i < sum.Length; i++)
        {
            sum[i] += scale * terms[i];
        }
    }
}
