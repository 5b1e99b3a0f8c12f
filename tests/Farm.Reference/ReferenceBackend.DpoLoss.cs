using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void DpoLoss(Tensor policyChosen, Tensor policyRejected, Tensor referenceChosen, Tensor referenceRejected, in DpoSettings settings, Tensor losses, Tensor gradients)
    {
        Vectors(nameof(DpoLoss), policyChosen.Columns, (nameof(policyChosen), policyChosen), (nameof(policyRejected), policyRejected), (nameof(referenceChosen), referenceChosen),
            (nameof(referenceRejected), referenceRejected), (nameof(losses), losses), (nameof(gradients), gradients));
        Check.That(settings.Beta > 0, nameof(DpoLoss), $"a beta of {settings.Beta}");
        double[] pc = TensorIO.ReadRow(policyChosen, 0), pr = TensorIO.ReadRow(policyRejected, 0), rc = TensorIO.ReadRow(referenceChosen, 0), rr = TensorIO.ReadRow(referenceRejected, 0);
        double[] loss = new double[pc.Length], gradient = new double[pc.Length];
        for (int i = 0; i < pc.Length; i++)
        {
            (loss[i], double slope) = Dpo((pc[i] - rc[i]) - (pr[i] - rr[i]), settings.Kind, settings.Beta, settings.LabelSmoothing);
            gradient[i] = settings.Scale * slope;
        }

        TensorIO.WriteRow(losses, 0, loss);
        TensorIO.WriteRow(gradients, 0, gradient);
    }

    internal static (double Loss, double Slope) Dpo(double h, DpoKind kind, double beta, double smoothing)
    {
        if (kind == DpoKind.Ipo)
        {
            double off = h - (1 / (2 * beta));
            return (off * off, 2 * off);
        }

        double x = beta * h;
        return (((1 - smoothing) * Softplus(-x)) + (smoothing * Softplus(x)), beta * ((smoothing * Logistic(x)) - ((1 - smoothing) * Logistic(-x))));
    }

    internal static double Softplus(double x) => x > 0 ? x + Math.Log(1 + Math.Exp(-x)) : Math.Log(1 + Math.Exp(x));

    internal static double Logistic(double x) => x > 0 ? 1 / (1 + Math.Exp(-x)) : Math.Exp(x) / (1 + Math.Exp(x));
}
