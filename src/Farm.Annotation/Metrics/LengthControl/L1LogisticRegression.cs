namespace Farm.Annotation.Metrics.LengthControl;

/// <summary>
/// Weighted logistic regression with an L1 penalty and no intercept: minimises
/// <c>|beta|_1 + C * sum_j w_j * (y_j * log(1 + e^-z_j) + (1 - y_j) * log(1 + e^z_j))</c> with <c>z_j = beta . x_j</c> and soft labels y in [0, 1].
/// Solved by proximal Newton steps (Lee, Sun, Saunders, "Proximal Newton-type methods", 2014) until the optimality conditions hold.
/// </summary>
public static class L1LogisticRegression
{
    private const int MaxSteps = 500, MaxSweeps = 10_000, MaxHalvings = 60;
    private const double Tolerance = 1e-10, SufficientDecrease = 1e-4;

    /// <summary>Fits the coefficients.</summary>
    /// <param name="features">One array of all coefficients' features per row.</param>
    /// <param name="labels">The probability of label 1 of each row.</param>
    /// <param name="weights">The weight of each row, not negative.</param>
    /// <param name="c">The inverse strength of the penalty, positive.</param>
    /// <param name="start">Where to start, zeros unless given.</param>
    public static double[] Fit(IReadOnlyList<double[]> features, IReadOnlyList<double> labels, IReadOnlyList<double> weights, double c, IReadOnlyList<double>? start = null)
    {
        ArgumentNullException.ThrowIfNull(features);
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(c);
        int k = features.Count == 0 ? throw new ArgumentException("There is no row to fit.", nameof(features)) : features[0].Length;
        double[] beta = start is null ? new double[k] : [.. start];
        double[] gradient = new double[k], hessian = new double[k * k];
        double objective = Objective(features, labels, weights, c, beta);
        for (int step = 0; step < MaxSteps; step++)
        {
            Derivatives(features, labels, weights, c, beta, gradient, hessian);
            if (Violation(beta, gradient) <= Tolerance * Math.Max(1, Scale(features, weights, c)))
            {
                break;
            }

            double[] target = Quadratic(beta, gradient, hessian);
            double decrease = Enumerable.Range(0, k).Sum(i => (gradient[i] * (target[i] - beta[i])) + Math.Abs(target[i]) - Math.Abs(beta[i]));
            double[] next = target;
            double length = 1, reached = Objective(features, labels, weights, c, next);
            int halvings = 0;
            for (; reached > objective + (SufficientDecrease * length * decrease) && halvings < MaxHalvings; halvings++)
            {
                length /= 2;
                next = [.. beta.Zip(target, (b, t) => b + (length * (t - b)))];
                reached = Objective(features, labels, weights, c, next);
            }

            if (halvings == MaxHalvings || reached >= objective && next.SequenceEqual(beta))
            {
                break;
            }

            beta = next;
            objective = reached;
        }

        return beta;
    }

    /// <summary>1 / (1 + e^-z), without overflow.</summary>
    public static double Sigmoid(double z) => z >= 0 ? 1 / (1 + Math.Exp(-z)) : Math.Exp(z) / (1 + Math.Exp(z));

    /// <summary>The value that <see cref="Fit"/> minimises.</summary>
    public static double Objective(IReadOnlyList<double[]> features, IReadOnlyList<double> labels, IReadOnlyList<double> weights, double c, IReadOnlyList<double> beta)
    {
        ArgumentNullException.ThrowIfNull(features);
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(beta);
        double loss = 0;
        for (int i = 0; i < features.Count; i++)
        {
            double z = Dot(features[i], beta);
            loss += weights[i] * (Softplus(z) - (labels[i] * z));
        }

        return (c * loss) + beta.Sum(Math.Abs);
    }

    private static double Softplus(double z) => Math.Max(z, 0) + Math.Log(1 + Math.Exp(-Math.Abs(z)));

    private static double Dot(double[] x, IReadOnlyList<double> beta)
    {
        double z = 0;
        for (int i = 0; i < x.Length; i++)
        {
            z += x[i] * beta[i];
        }

        return z;
    }

    private static double Scale(IReadOnlyList<double[]> features, IReadOnlyList<double> weights, double c)
    {
        double sum = 0;
        for (int i = 0; i < features.Count; i++)
        {
            sum += weights[i] * features[i].Max(Math.Abs);
        }

        return c * sum;
    }

    private static void Derivatives(IReadOnlyList<double[]> features, IReadOnlyList<double> labels, IReadOnlyList<double> weights, double c, double[] beta, double[] gradient, double[] hessian)
    {
        int k = beta.Length;
        Array.Clear(gradient);
        Array.Clear(hessian);
        for (int i = 0; i < features.Count; i++)
        {
            double[] x = features[i];
            double p = Sigmoid(Dot(x, beta)), residual = c * weights[i] * (p - labels[i]), curvature = c * weights[i] * p * (1 - p);
            for (int a = 0; a < k; a++)
            {
                gradient[a] += residual * x[a];
                for (int b = 0; b < k; b++)
                {
                    hessian[(a * k) + b] += curvature * x[a] * x[b];
                }
            }
        }

        for (int a = 0; a < k; a++)
        {
            // A feature that never varies leaves its curvature at zero; the ridge keeps the step finite and does not move the optimum.
            hessian[(a * k) + a] += 1e-12;
        }
    }

    /// <summary>How far the point is from optimal: the smallest size of a subgradient.</summary>
    private static double Violation(double[] beta, double[] gradient)
    {
        double worst = 0;
        for (int i = 0; i < beta.Length; i++)
        {
            double v = beta[i] != 0 ? Math.Abs(gradient[i] + Math.Sign(beta[i])) : Math.Max(0, Math.Abs(gradient[i]) - 1);
            worst = Math.Max(worst, v);
        }

        return worst;
    }

    /// <summary>The minimum of the penalised quadratic around <paramref name="beta"/>, by coordinate descent.</summary>
    private static double[] Quadratic(double[] beta, double[] gradient, double[] hessian)
    {
        int k = beta.Length;
        double[] target = [.. beta];
        for (int sweep = 0; sweep < MaxSweeps; sweep++)
        {
            double moved = 0;
            for (int a = 0; a < k; a++)
            {
                double slope = gradient[a];
                for (int b = 0; b < k; b++)
                {
                    slope += hessian[(a * k) + b] * (target[b] - beta[b]);
                }

                double curvature = hessian[(a * k) + a], free = target[a] - (slope / curvature);
                double value = Math.Sign(free) * Math.Max(0, Math.Abs(free) - (1 / curvature));
                moved = Math.Max(moved, Math.Abs(value - target[a]));
                target[a] = value;
            }

            if (moved <= 1e-15 * Math.Max(1, target.Max(Math.Abs)))
            {
                break;
            }
        }

        return target;
    }
}
