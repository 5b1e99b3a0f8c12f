using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void RmsNormBackward(Tensor input, Tensor weight, float epsilon, Tensor outputGradient, Tensor inputGradient, Tensor weightGradient)
    {
        const string Operation = nameof(RmsNormBackward);
        Check.Type(Operation, nameof(input), input, DType.F32);
        Check.Shape(Operation, nameof(weight), weight, DType.F32, 1, input.Columns);
        Check.Shape(Operation, nameof(outputGradient), outputGradient, DType.F32, input.Rows, input.Columns);
        Check.Shape(Operation, nameof(inputGradient), inputGradient, DType.F32, input.Rows, input.Columns);
        if (!weightGradient.IsNone)
        {
            Check.Shape(Operation, nameof(weightGradient), weightGradient, DType.F32, 1, input.Columns);
        }

        double[] gain = TensorIO.ReadRow(weight, 0);
        double[] gainGradient = weightGradient.IsNone ? new double[gain.Length] : TensorIO.ReadRow(weightGradient, 0);
        for (int t = 0; t < input.Rows; t++)
        {
            double[] sum = TensorIO.ReadRow(inputGradient, t);
            NormalisedBackward(TensorIO.ReadRow(input, t), gain, epsilon, TensorIO.ReadRow(outputGradient, t), sum, gainGradient);
            TensorIO.WriteRow(inputGradient, t, sum);
        }

        if (!weightGradient.IsNone)
        {
            TensorIO.WriteRow(weightGradient, 0, gainGradient);
        }
    }

    // dx_i += r (g_i w_i - x_i r^2 mean(g w x)), dw_i += g_i x_i r, where r = 1 / sqrt(mean(x^2) + epsilon).
    internal static void NormalisedBackward(double[] x, double[] gain, double epsilon, double[] g, double[] dx, double[] dw)
    {
        double squares = 0, product = 0;
        for (int i = 0; i < x.Length; i++)
        {
            squares += x[i] * x[i];
            product += g[i] * gain[i] * x[i];
        }

        double r = 1 / Math.Sqrt((squares / x.Length) + epsilon);
        for (int i = 0; i < x.Length; i++)
        {
            dx[i] += r * ((g[i] * gain[i]) - (x[i] * r * r * product / x.Length));
            dw[i] += g[i] * x[i] * r;
        }
    }
}
