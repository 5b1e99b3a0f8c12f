using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep update)
    {
        const string Operation = nameof(AdamW);
        foreach (var (name, tensor) in new[] { (nameof(parameter), parameter), (nameof(gradient), gradient),
            (nameof(firstMoment), firstMoment), (nameof(secondMoment), secondMoment) })
        {
            Check.Shape(Operation, name, tensor, DType.F32, parameter.Rows, parameter.Columns);
            Check.That(tensor.IsContiguous, Operation, $"{name} is not contiguous");
        }

        Check.That(update.Step >= 1, Operation, $"step {update.Step} is not at least 1");
        for (int t = 0; t < parameter.Rows; t++)
        {
            double[] p = TensorIO.ReadRow(parameter, t), m = TensorIO.ReadRow(firstMoment, t), v = TensorIO.ReadRow(secondMoment, t);
            AdamW(p, TensorIO.ReadRow(gradient, t), m, v, update);
            TensorIO.WriteRow(parameter, t, p);
            TensorIO.WriteRow(firstMoment, t, m);
            TensorIO.WriteRow(secondMoment, t, v);
        }
    }

    internal static void AdamW(double[] p, double[] gradient, double[] m, double[] v, in AdamWStep u)
    {
        double beta1 = u.Beta1, beta2 = u.Beta2, correction1 = 1 - Math.Pow(beta1, u.Step), correction2 = 1 - Math.Pow(beta2, u.Step);
        for (int i = 0; i < p.Length; i++)
        {
            double g = gradient[i] * u.GradientScale;
            m[i] = (beta1 * m[i]) + ((1 - beta1) * g);
            v[i] = (beta2 * v[i]) + ((1 - beta2) * g * g);
            double direction = m[i] / correction1 / (Math.Sqrt(v[i] / correction2) + u.Epsilon);
            p[i] -= u.LearningRate * (((double)u.WeightDecay * p[i]) + direction);
        }
    }
}
