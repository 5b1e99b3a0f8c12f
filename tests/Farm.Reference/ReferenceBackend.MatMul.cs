using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void MatMul(Tensor a, bool transposeA, Tensor b, bool transposeB, Tensor c, bool accumulate = false)
    {
        const string Operation = nameof(MatMul);
        Check.Type(Operation, nameof(c), c, DType.F32);
        int inner = transposeA ? a.Rows : a.Columns;
        Check.Shape(Operation, nameof(a), a, DType.F32, transposeA ? inner : c.Rows, transposeA ? c.Rows : inner);
        Check.Type(Operation, nameof(b), b, DType.F32, DType.BF16);
        Check.Shape(Operation, nameof(b), b, b.DType, transposeB ? c.Columns : inner, transposeB ? inner : c.Columns);

        double[][] left = transposeA ? Transposed(TensorIO.ReadRows(a), c.Rows) : TensorIO.ReadRows(a);
        double[][] right = transposeB ? TensorIO.ReadRows(b) : Transposed(TensorIO.ReadRows(b), c.Columns);
        for (int m = 0; m < c.Rows; m++)
        {
            double[] row = accumulate ? TensorIO.ReadRow(c, m) : new double[c.Columns];
            for (int n = 0; n < row.Length; n++)
            {
                row[n] += Dot(left[m], right[n]);
            }

            TensorIO.WriteRow(c, m, row);
        }
    }

    internal static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        double sum = 0;
        for (int i = 0; i < x.Length; i++)
        {
            sum += x[i] * y[i];
        }

        return sum;
    }

    // columns says how many there are where there is no row to ask.
    private static double[][] Transposed(double[][] rows, int columns)
    {
        var turned = new double[columns][];
        for (int c = 0; c < columns; c++)
        {
            turned[c] = new double[rows.Length];
            for (int r = 0; r < rows.Length; r++)
            {
                turned[c][r] = rows[r][c];
            }
        }

        return turned;
    }
}
