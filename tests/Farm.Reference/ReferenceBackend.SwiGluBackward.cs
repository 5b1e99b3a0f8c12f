using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void SwiGluBackward(Tensor gateUp, Tensor outputGradient, Tensor gateUpGradient)
    {
        const string Operation = nameof(SwiGluBackward);
        Check.Type(Operation, nameof(outputGradient), outputGradient, DType.F32);
        Check.Shape(Operation, nameof(gateUp), gateUp, DType.F32, outputGradient.Rows, 2 * outputGradient.Columns);
        Check.Shape(Operation, nameof(gateUpGradient), gateUpGradient, DType.F32, gateUp.Rows, gateUp.Columns);
        for (int t = 0; t < gateUp.Rows; t++)
        {
            TensorIO.WriteRow(gateUpGradient, t, SwiGluBackward(TensorIO.ReadRow(gateUp, t), TensorIO.ReadRow(outputGradient, t)));
        }
    }

    // With s = 1 / (1 + exp(-z)): d silu(z) = s (1 + z (1 - s)), where 1 - s is written without cancellation.
    internal static double[] SwiGluBackward(double[] gateUp, double[] g)
    {
        var gradient = new double[gateUp.Length];
        for (int o = 0; o < g.Length; o++)
        {
            double z = gateUp[o], up = gateUp[g.Length + o], s = 1 / (1 + Math.Exp(-z)), rest = 1 / (1 + Math.Exp(z));
            gradient[o] = g[o] * up * s * (1 + (z * rest));
            gradient[g.Length + o] = g[o] * z * s;
        }

        return gradient;
    }
}
