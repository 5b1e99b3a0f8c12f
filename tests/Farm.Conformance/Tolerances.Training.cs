namespace Farm.Conformance;

public static partial class Tolerances
{
    /// <summary>Results below the smallest normal float32 may be flushed to zero.</summary>
    public const double Tiny = 1.2e-38;

    /// <summary>A sum in float64 of squares of float32 (exact): roundings of 2^-53, relative, as all terms are positive.</summary>
    public static double SumOfSquares(long count, double expected) => Lambda * Math.Sqrt(Math.Max(count, 1)) * Math.Pow(2, -53) * expected;

    /// <summary>
    /// The factor r of a normalisation is off by half the relative error of the mean of squares and a few roundings; it enters the input's
    /// gradient three times, the mean of g w x adds a sum. <paramref name="magnitude"/> is r (|g w| + |x| r^2 mean|g w x|).
    /// </summary>
    public static double RmsNormBackward(int columns, double magnitude) =>
        ((3 * (Sum(columns, 0.5) + (8 * U))) + Sum(columns, 1)) * magnitude;

    /// <summary>A sum over rows of g x r; <paramref name="magnitude"/> is the sum of |g x r|, what was there before included.</summary>
    public static double RmsNormWeight(int rows, int columns, double magnitude) =>
        (Sum(rows + 1, 1) + Sum(columns, 0.5) + (8 * U)) * magnitude;

    /// <summary>
    /// The gate's gradient g u s (1 + z (1 - s)): the exponential of z carries its own error and that of its argument, |z| u, which reach s in
    /// the share 1 - s; 1 - s taken as a difference has the error of s and a whole unit; then a few roundings.
    /// </summary>
    public static double SwiGluGate(double gate, double up, double gradient)
    {
        double z = Math.Abs(gate), s = 1 / (1 + Math.Exp(-gate)), rest = 1 / (1 + Math.Exp(gate));
        double error = s * ((rest * (Exponential + z)) + 2) * U;
        double slope = ((error + (5 * U * s)) * (1 + (z * rest))) + (s * z * (error + U));
        return (slope * Math.Abs(up * gradient)) + Tiny;
    }

    /// <summary>A log-sum-exp of scaled scores: the scores' own error (a dot product and a product), then exponentials, a sum and a logarithm.</summary>
    public static double LogSumExp(int headDim, int keys, double score) =>
        Sum(headDim, score) + (3 * U * score) + (3 * Exponential * U) + Sum(keys, 1) + (4 * U * (score + Math.Log(keys)));

    /// <summary>Relative error of a probability recomputed as exp(score - logSumExp): the absolute error of its argument.</summary>
    public static double Recomputed(int headDim, double score, double logSumExp) =>
        Sum(headDim, score) + (U * ((3 * score) + (2 * Math.Abs(logSumExp)) + Exponential));

    /// <summary>
    /// An element of sum ds_ij y_j or sum p_ij g_i: each weight has the relative error <paramref name="probability"/>, a difference of two dot
    /// products the error of both, and the sum rounds. <paramref name="magnitude"/> bounds the sum of the terms' magnitudes.
    /// </summary>
    public static double AttentionGradient(int headDim, int terms, double probability, double magnitude) =>
        (probability + (2 * Sum(headDim, 1)) + (6 * U) + Sum(terms, 1)) * magnitude + Tiny;

    /// <summary>Relative error of a probability exp(logit - log sum exp) of a product over <paramref name="width"/> features.</summary>
    public static double VocabularyProbability(int width, double largestLogit) => (2 * Sum(width, largestLogit)) + LogProb(largestLogit)
        + (Exponential * U);

    /// <summary>
    /// Errors of the moments after <paramref name="steps"/> updates: one of the first is a few roundings of the largest gradient for each step
    /// (its terms may cancel), one of the second is relative.
    /// </summary>
    public static double FirstMoment(int steps, double largest) => 4 * steps * U * largest;

    /// <summary>See <see cref="FirstMoment"/>.</summary>
    public static double SecondMoment(int steps, double expected) => (5 * steps * U * expected) + Tiny;

    /// <summary>
    /// A parameter after <paramref name="steps"/> updates: it is rounded twice in each; its step's direction has the error of the first
    /// moment over the root of the second, and its own few roundings. The bias corrections are host numbers, computed in float64.
    /// </summary>
    /// <param name="steps">Number of updates.</param>
    /// <param name="parameter">Largest magnitude of the parameter.</param>
    /// <param name="learningRate">Learning rate.</param>
    /// <param name="moment">Largest magnitude of a gradient or first moment.</param>
    /// <param name="denominator">First correction times (root of the corrected second moment plus epsilon), the least over the steps.</param>
    public static double Parameter(int steps, double parameter, double learningRate, double moment, double denominator) =>
        steps * ((4 * U * parameter) + (learningRate * (FirstMoment(steps, moment) + ((10 + (3 * steps)) * U * moment)) / denominator));
}
