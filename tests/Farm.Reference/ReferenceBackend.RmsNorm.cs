using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void RmsNorm(Tensor input, Tensor weight, float epsilon, Tensor output)
    {
        Check.Shape(nameof(RmsNorm), nameof(input), input, DType.F32, input.Rows, input.Columns);
        Check.Shape(nameof(RmsNorm), nameof(weight), weight, DType.F32, 1, input.Columns);
        Check.Shape(nameof(RmsNorm), nameof(output), output, DType.F32, input.Rows, input.Columns);
        double[] gain = TensorIO.ReadRow(weight, 0);
        for (int t = 0; t < input.Rows; t++)
        {
            TensorIO.WriteRow(output, t, Normalised(TensorIO.ReadRow(input, t), gain, epsilon));
        }
    }

    // y_i = x_i / sqrt(mean(x^2) + epsilon) * w_i
    internal static double[] Normalised(double[] x, double[] gain, double epsilon)
    {
        double squares = 0;
        foreach (double value in x)
        {
            squares += value * value;
        }

        double inverse = 1 / Math.Sqrt((squares / x.Length) + epsilon);
        var y = new double[x.Length];
        for (int i = 0; i < y.Length; i++)
        {
            y[i] = x[i] * inverse * gain[i];
        }

        return y;
    }
}
