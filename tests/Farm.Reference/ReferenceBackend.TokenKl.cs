using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void TokenKl(Tensor logProbs, Tensor referenceLogProbs, KlEstimator estimator, Tensor kl)
    {
        Vectors(nameof(TokenKl), logProbs.Columns, (nameof(logProbs), logProbs), (nameof(referenceLogProbs), referenceLogProbs), (nameof(kl), kl));
        TensorIO.WriteRow(kl, 0, [.. TensorIO.ReadRow(logProbs, 0).Zip(TensorIO.ReadRow(referenceLogProbs, 0), (p, q) => Estimate(p - q, estimator))]);
    }

    internal static double Estimate(double d, KlEstimator estimator) => estimator switch
    {
        KlEstimator.K1 => d,
        KlEstimator.Clamped => Math.Max(d, 0),
        // exp(-d) - 1 loses its digits near 0, where the series d^2 / 2 - d^3 / 6 + ... is exact enough.
        KlEstimator.K3 => Math.Abs(d) > 1e-3 ? Math.Exp(-d) - 1 + d : d * d * ((1 / 2.0) - (d / 6) + (d * d / 24) - (d * d * d / 120)),
        _ => throw new ArgumentException($"TokenKl: no estimator {estimator}"),
    };
}
