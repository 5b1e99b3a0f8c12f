using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void Linear(Tensor input, LinearWeight weight, Tensor output, Tensor bias = default, bool accumulate = false,
        Tensor normWeight = default, float normEpsilon = 0f)
    {
        const string Operation = nameof(Linear);
        var own = Own(Operation, weight);
        Check.Shape(Operation, nameof(input), input, DType.F32, input.Rows, own.InFeatures);
        Check.Shape(Operation, nameof(output), output, DType.F32, input.Rows, own.OutFeatures);
        Check.That(own.Layout != LinearLayout.GateUp || (bias.IsNone && !accumulate), Operation,
            "a gate/up weight takes neither bias nor accumulation");
        if (!bias.IsNone)
        {
            Check.Shape(Operation, nameof(bias), bias, DType.F32, 1, own.OutFeatures);
        }

        if (!normWeight.IsNone)
        {
            Check.Shape(Operation, nameof(normWeight), normWeight, DType.F32, 1, own.InFeatures);
        }

        double[]? gain = normWeight.IsNone ? null : TensorIO.ReadRow(normWeight, 0);
        double[]? offset = bias.IsNone ? null : TensorIO.ReadRow(bias, 0);
        for (int t = 0; t < input.Rows; t++)
        {
            double[] x = TensorIO.ReadRow(input, t);
            double[] y = Product(gain is null ? x : Normalised(x, gain, normEpsilon), own);
            if (own.Layout == LinearLayout.GateUp)
            {
                y = SwiGlu(y);
            }

            double[]? before = accumulate ? TensorIO.ReadRow(output, t) : null;
            for (int o = 0; o < y.Length; o++)
            {
                y[o] += (offset?[o] ?? 0) + (before?[o] ?? 0);
            }

            TensorIO.WriteRow(output, t, y);
        }
    }

    // y_o = sum_i x_i W_oi; with integers y_o = sum over groups g of sx_g * sw_og * (sum over i in g of qx_i * qw_oi).
    private static double[] Product(double[] x, ReferenceLinearWeight weight) =>
        weight.DType == DType.I8 ? IntegerProduct(Array.ConvertAll(x, v => (float)v), weight) : RealProduct(x, weight);

    private static double[] RealProduct(double[] x, ReferenceLinearWeight weight)
    {
        var y = new double[weight.Rows];
        for (int o = 0; o < y.Length; o++)
        {
            ReadOnlySpan<float> w = weight.Values.AsSpan(o * x.Length, x.Length);
            double sum = 0;
            for (int i = 0; i < x.Length; i++)
            {
                sum += x[i] * w[i];
            }

            y[o] = sum;
        }

        return y;
    }

    private static double[] IntegerProduct(float[] x, ReferenceLinearWeight weight)
    {
        int groups = Int8Groups.Count(x.Length);
        var integers = new sbyte[x.Length];
        var scales = new float[groups];
        Int8Groups.Quantise(x, integers, scales);
        var y = new double[weight.Rows];
        for (int o = 0; o < y.Length; o++)
        {
            ReadOnlySpan<sbyte> w = weight.Integers.AsSpan(o * x.Length, x.Length);
            double sum = 0;
            for (int g = 0; g < groups; g++)
            {
                int exact = 0;
                for (int i = g * Int8Groups.Size; i < Math.Min((g + 1) * Int8Groups.Size, x.Length); i++)
                {
                    exact += integers[i] * w[i];
                }

                sum += exact * (double)scales[g] * weight.Scales[(o * groups) + g];
            }

            y[o] = sum;
        }

        return y;
    }

    // silu(gate) * up with silu(z) = z / (1 + exp(-z)); the gate's rows come first.
    internal static double[] SwiGlu(double[] gateUp)
    {
        var y = new double[gateUp.Length / 2];
        for (int o = 0; o < y.Length; o++)
        {
            y[o] = gateUp[o] / (1 + Math.Exp(-gateUp[o])) * gateUp[y.Length + o];
        }

        return y;
    }
}
