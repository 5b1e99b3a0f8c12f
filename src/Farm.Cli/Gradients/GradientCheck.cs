using Farm.Cli.Kernels;
using Farm.Core;

namespace Farm.Cli.Gradients;

/// <summary>How a gradient compared with finite differences.</summary>
/// <param name="Op">The operation.</param>
/// <param name="Operand">What it was differentiated by.</param>
/// <param name="Elements">Elements of the operand that were moved.</param>
/// <param name="Error">Largest difference between gradient and finite difference, relative to the largest element of the gradient.</param>
/// <param name="Tolerance">The error that passes.</param>
internal sealed record GradientCheck(string Op, string Operand, int Elements, double Error, double Tolerance)
{
    // Sums of float32 outputs are good to some 1e-7: a much smaller step would drown in that, and the five-point formula's own error is of the fourth power of this one.
    private const float Step = 1f / 64;

    /// <summary>Whether it is within its tolerance; NaN is not.</summary>
    public bool Passed => Error <= Tolerance;

    /// <summary>Checks a case by each of its operands, with the central formula of five points, in float32 summed in float64.</summary>
    /// <param name="gradientCase">The case.</param>
    /// <param name="backend">What computes the function and its gradient.</param>
    /// <param name="elements">The most elements of an operand to move, spread over it.</param>
    public static IReadOnlyList<GradientCheck> Run(GradientCase gradientCase, ITrainingBackend backend, int elements)
    {
        using var operands = new CaseOperands(backend);
        var probe = gradientCase.Prepare(operands);
        float[][] gradients = [.. probe.Gradients().Select(g => operands.Read(g))];
        return [.. probe.Operands.Select((o, i) => Check(gradientCase, backend, probe.Value, o.Name, o.Value, operands.Read(o.Value), gradients[i], elements))];
    }

    private static GradientCheck Check(GradientCase gradientCase, ITrainingBackend backend, Func<double> value, string name, Tensor operand, float[] values, float[] gradient, int elements)
    {
        int count = Math.Min(elements, values.Length);
        double largest = gradient.Max(g => Math.Abs((double)g)), difference = 0;
        for (int i = 0; i < count; i++)
        {
            // From the first to the last.
            int at = count == 1 ? 0 : (int)((long)i * (values.Length - 1) / (count - 1));
            float middle = values[at];
            double slope = ((8 * (At(middle + Step) - At(middle - Step))) - (At(middle + (2 * Step)) - At(middle - (2 * Step)))) / (12 * Step);
            values[at] = middle;
            largest = Math.Max(largest, Math.Abs(slope));
            difference = Math.Max(difference, Math.Abs(slope - gradient[at]));

            double At(float x)
            {
                values[at] = x;
                backend.Upload<float>(values, operand);
                return value();
            }
        }

        backend.Upload<float>(values, operand);
        return new GradientCheck(gradientCase.Op, name, count, difference / Math.Max(largest, double.Epsilon), gradientCase.Tolerance);
    }
}
