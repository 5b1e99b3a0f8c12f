using Farm.Core;
using Farm.Training.Model;

namespace Farm.Training.Optimisation;

/// <summary>AdamW over a parameter store, with clipping by the global norm. Decay is on matrices only.</summary>
public sealed class AdamWOptimizer
{
    private readonly ParameterStore _parameters;
    private readonly AdamWOptions _options;
    private readonly (Tensor Matrices, Tensor Vectors) _first, _second;

    /// <summary>Moments of zero.</summary>
    public AdamWOptimizer(ParameterStore parameters, AdamWOptions options)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        _parameters = parameters;
        _options = options;
        _first = parameters.AllocateLike();
        _second = parameters.AllocateLike();
    }

    /// <summary>First and second moments of matrices and vectors, by the names under which checkpoints hold them.</summary>
    internal IEnumerable<(string Name, Tensor Tensor)> State =>
    [
        ("first.matrices", _first.Matrices), ("first.vectors", _first.Vectors), ("second.matrices", _second.Matrices), ("second.vectors", _second.Vectors),
    ];

    /// <summary>L2 norm of all gradients; NaN or infinity if one of them is.</summary>
    public double GradientNorm() =>
        _parameters.Gradients.Rows == 0 ? 0 : Math.Sqrt(_parameters.Backend.SumOfSquares(_parameters.Gradients));

    /// <summary>What the gradients are to be multiplied by so that their norm is at most <paramref name="maxNorm"/>: min(1, maxNorm / (norm + 1e-6)).</summary>
    /// <param name="norm">The norm.</param>
    /// <param name="maxNorm">The bound; 0 for none.</param>
    public static double ClipFactor(double norm, double maxNorm) => maxNorm > 0 ? Math.Min(1, maxNorm / (norm + 1e-6)) : 1;

    /// <summary>One update, and the BF16 copies made anew.</summary>
    /// <param name="step">1 for the first.</param>
    /// <param name="learningRate">Of this step.</param>
    /// <param name="gradientScale">Multiplies the gradients.</param>
    public void Step(int step, double learningRate, double gradientScale)
    {
        var update = new AdamWStep(
            step, (float)learningRate, (float)_options.Beta1, (float)_options.Beta2, (float)_options.Epsilon, (float)_options.WeightDecay, (float)gradientScale);
        var (matrices, vectors, backend) = (_parameters.Matrices, _parameters.Vectors, _parameters.Backend);
        if (matrices.Values.Rows > 0)
        {
            backend.AdamW(matrices.Values, matrices.Gradients, _first.Matrices, _second.Matrices, update);
        }

        if (vectors.Values.Rows > 0)
        {
            backend.AdamW(vectors.Values, vectors.Gradients, _first.Vectors, _second.Vectors, update with { WeightDecay = 0 });
        }

        _parameters.RefreshCopies();
    }
}

/// <summary>Constants of AdamW, by default those of AlpacaFarm's runs.</summary>
public sealed record AdamWOptions
{
    /// <summary>Decay of the first moment.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the second moment.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>Added to the root of the second moment.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Decoupled decay of matrices.</summary>
    public double WeightDecay { get; init; }
}
