using Farm.Core;

namespace Farm.Conformance;

/// <summary>
/// How far float32 arithmetic may lie from the float64 reference, per operation: a count of roundings times u = 2^-24, not a number
/// found by trial. A sum of n terms in any order is within <see cref="Lambda"/> sqrt(n) u of the sum of the terms' magnitudes with
/// overwhelming probability (Higham and Mary, "A New Approach to Probabilistic Rounding Error Analysis", 2019, theorem 3.1); the
/// worst case, n u, is hundreds of times wider and would hide real faults. Sums of products are bounded through |sum x w| &lt;= |x|
/// |w| (Cauchy-Schwarz).
/// </summary>
public static partial class Tolerances
{
    /// <summary>Unit roundoff of float32.</summary>
    public const double U = 1.0 / (1 << 24);

    /// <summary>Confidence factor of the probabilistic bound.</summary>
    public const double Lambda = 4;

    /// <summary>An exponential by range reduction and polynomial: result within so many u.</summary>
    public const double Exponential = 8;

    /// <summary>Copies, gathers and embeddings move values; a dequantised value, integer times scale, is one rounding in both.</summary>
    public const double Moved = 0;

    /// <summary>Share of the draw in which a cumulative boundary counts as hit: sums of probabilities in float32 are no finer.</summary>
    public const double DrawWindow = 1e-5;

    /// <summary>Rounding of a sum of <paramref name="terms"/> terms whose magnitudes add to <paramref name="magnitude"/>.</summary>
    public static double Sum(int terms, double magnitude) => Lambda * Math.Sqrt(Math.Max(terms, 1)) * U * magnitude;

    /// <summary>
    /// A normalised value: half the relative error of the mean of squares, the square root, the reciprocal (or an estimate with one
    /// Newton step, 2 u) and three products.
    /// </summary>
    public static double RmsNorm(int columns, double expected) => (Sum(columns, 0.5) + (8 * U)) * Math.Abs(expected);

    /// <summary>
    /// A dot product of <paramref name="features"/> products; norms as in Cauchy-Schwarz. Weights are compared as stored, so F32 and
    /// BF16 round alike.
    /// I8 sums a group exactly: the roundings are those of the scales (3) and of one term per group of 64; its operands may be half a level
    /// longer, 1 % at most. A fused norm adds the relative error of its factor.
    /// </summary>
    public static double Dot(DType storage, int features, double inputNorm, double weightNorm, bool normalised)
    {
        int terms = storage == DType.I8 ? ((features + 63) / 64) + 3 : features;
        double magnitude = inputNorm * weightNorm * (storage == DType.I8 ? 1.02 : 1);
        return Sum(terms, magnitude) + (normalised ? RmsNorm(features, magnitude) : 0);
    }

    /// <summary>Adding bias and the previous output: a rounding of each partial result.</summary>
    public static double Added(double expected, double bias, double before) => 2 * U * (Math.Abs(expected) + Math.Abs(bias)
        + Math.Abs(before));

    /// <summary>
    /// silu(g) u with errors of g and u: |silu'| is at most 1.1; the exponential, a sum, a quotient and two products round the rest.
    /// </summary>
    public static double SwiGlu(double gate, double up, double gateError, double upError)
    {
        double silu = gate / (1 + Math.Exp(-gate));
        return (1.1 * gateError * Math.Abs(up)) + (Math.Abs(silu) * upError) + (1.1 * gateError * upError)
            + ((Exponential + 5 + Math.Abs(gate)) * U * Math.Abs(silu * up));
    }

    /// <summary>A rotation: two products and a sum of coordinates of magnitude at most <paramref name="largest"/>.</summary>
    public static double Rope(double largest) => 3 * U * 2 * largest;

    /// <summary>
    /// What attention over keys that were rotated in float32 may differ by: the rotation moves each score by its rounding; a
    /// coordinate on the edge may round to the neighbouring bfloat16, which moves the score of one key, of a weight near 1 / keys,
    /// by up to 4 times 2^-8.
    /// </summary>
    public static double RotatedKeys(DType storage, int headDim, int keys) =>
        (Math.Sqrt(headDim) * Rope(1)) + (storage == DType.BF16 ? 4 * Math.Pow(2, -8) / keys : 0);

    /// <summary>
    /// Attention over <paramref name="keys"/> keys of values within 1: the scores (a dot product, scaled) enter the exponential, so
    /// their absolute error is the relative error of every weight, in numerator and denominator; then the exponentials, their
    /// rescaling by running maxima and the merge (two more exponentials), and two sums over the keys.
    /// </summary>
    public static double Attention(int headDim, int keys, double queryNorm, double keyNorm, double scale)
    {
        double score = queryNorm * keyNorm * Math.Abs(scale);
        double weight = Sum(headDim, score) + (3 * U * score) + (3 * Exponential * U);
        return 2 * (weight + Sum(keys, 1));
    }

    /// <summary>
    /// A log-probability: the log-sum-exp in blocks is within 1e-5 at any vocabulary; the logits themselves, scaled by
    /// 1 / temperature, round in the last place.
    /// </summary>
    public static double LogProb(double largestLogit, double temperature = 1) => 1e-5 + (4 * U * Math.Abs(largestLogit) / temperature);

    /// <summary>Entropy in nats: a mean of log-probabilities, each with its error, over weights that round too.</summary>
    public static double Entropy(int vocabulary, double largestLogit, double temperature) =>
        2 * LogProb(largestLogit, temperature) + Sum(vocabulary, Math.Log(Math.Max(vocabulary, 2)));
}
