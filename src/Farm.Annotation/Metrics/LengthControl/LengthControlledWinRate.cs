using Farm.Core;

namespace Farm.Annotation.Metrics.LengthControl;

/// <summary>
/// The win rate that a model would have if its outputs were as long as the reference's (Dubois et al., "Length-Controlled AlpacaEval", 2024): a GLM
/// of the preferences on length, instruction and model, read off with the length's part taken out.
/// </summary>
/// <param name="Percent">100 times the mean of the predictions.</param>
/// <param name="StandardError">Of <paramref name="Percent"/>.</param>
/// <param name="Formula">The formula used.</param>
/// <param name="C">The inverse penalty that cross validation chose; null where nothing was fitted.</param>
/// <param name="Weights">The coefficients.</param>
/// <param name="Predictions">The probability, per row, that the model's output is preferred.</param>
public sealed record LengthControlledWinRate(double Percent, double StandardError, LengthControlFormula Formula, double? C, GlmWeights Weights, IReadOnlyList<double> Predictions)
{
    private const int Folds = 5, Candidates = 10;
    private const double GamedWeight = 0.1, LowestProbability = 1e-15;

    /// <summary>Fits the GLM to a model's annotations.</summary>
    /// <param name="pairs">The model's rows, in the order of the evaluation set.</param>
    /// <param name="difficulty">Difficulties of the instructions; without them the formula is <see cref="LengthControlFormula.Minimal"/>.</param>
    /// <param name="gamed">Rows of the gamed baselines; without them it is <see cref="LengthControlFormula.NoRegularization"/>.</param>
    /// <param name="byInstruction">True to look difficulties up by instruction, false by position, as the published numbers were made.</param>
    /// <exception cref="BadInputException">A row has no outputs or no difficulty, or no row has a preference.</exception>
    public static LengthControlledWinRate Fit(IReadOnlyList<ScoredPair> pairs, InstructionDifficulty? difficulty = null, GamedBaselines? gamed = null, bool byInstruction = false)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        var formula = difficulty is null ? LengthControlFormula.Minimal : gamed is null ? LengthControlFormula.NoRegularization : LengthControlFormula.V1;
        if (IsBaseline(pairs))
        {
            return Predict(pairs, new GlmWeights(0, 0, 0), null, byInstruction) with { Formula = formula };
        }

        double[] lengths = Lengths(pairs);
        double[][] own = [.. pairs.Select((p, i) => Features(formula, lengths[i], difficulty?.Of(p, byInstruction) ?? 0, 1))];
        var rows = new List<(double[] X, double Y, double Weight)>();
        if (formula == LengthControlFormula.V1)
        {
            rows.AddRange(gamed!.Rows.Select(r => (Features(formula, Math.Tanh(r.StandardDeltaLength), r.Difficulty, 0), r.Target, GamedWeight)));
        }

        rows.AddRange(own.Zip(pairs).Where(p => p.Second.Preference is not null).Select(p => (p.First, p.Second.Preference!.Value - 1, 1.0)));
        if (!pairs.Any(p => p.Preference is not null))
        {
            throw new BadInputException($"{pairs[0].Place}: no row of the model has a preference, so there is nothing to fit.");
        }

        double c = ChooseC(rows);
        double[] beta = Solve(rows, c, null);
        var weights = formula == LengthControlFormula.Minimal ? new GlmWeights(beta[0], 0, beta[1]) : new GlmWeights(beta[0], beta[1], beta[2]);
        return Predict(pairs, weights, difficulty, byInstruction) with { Formula = formula, C = c };
    }

    /// <summary>The win rate from known weights, e.g. published ones.</summary>
    /// <param name="pairs">The model's rows, also those without a preference.</param>
    /// <param name="weights">The model's coefficients.</param>
    /// <param name="difficulty">Difficulties of the instructions; needed unless the weight of difficulty is 0.</param>
    /// <param name="byInstruction">True to look difficulties up by instruction, false by position.</param>
    /// <exception cref="BadInputException">A row has no difficulty.</exception>
    public static LengthControlledWinRate Predict(IReadOnlyList<ScoredPair> pairs, GlmWeights weights, InstructionDifficulty? difficulty, bool byInstruction = false)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        ArgumentNullException.ThrowIfNull(weights);
        if (difficulty is null && weights.Difficulty != 0)
        {
            throw new BadInputException("Weights with a part for the instruction's difficulty need the file of difficulties.");
        }

        double[] p = IsBaseline(pairs)
            ? [.. pairs.Select(_ => 0.5)]
            : [.. pairs.Select(r => L1LogisticRegression.Sigmoid((weights.Difficulty == 0 ? 0 : weights.Difficulty * difficulty!.Of(r, byInstruction)) + weights.Model))];
        return new LengthControlledWinRate(100 * Statistics.Mean(p), 100 * Statistics.StandardError(p), LengthControlFormula.V1, null, weights, p);
    }

    private static bool IsBaseline(IReadOnlyList<ScoredPair> pairs) => pairs.Count > 0 && pairs.All(p => p.Generator2 is not null && p.Generator1 == p.Generator2);

    /// <summary>tanh of the difference of lengths in code points over its standard deviation; zero where lengths do not differ.</summary>
    private static double[] Lengths(IReadOnlyList<ScoredPair> pairs)
    {
        double[] deltas = [.. pairs.Select(p => (double)(Length(p, p.Output1, "output_1") - Length(p, p.Output2, "output_2")))];
        double deviation = Statistics.StandardDeviation(deltas);
        return [.. deltas.Select(d => deviation > 0 ? Math.Tanh(d / deviation) : 0)];
    }

    private static int Length(ScoredPair pair, string? output, string field) => CodePoints.Count(output
        ?? throw new BadInputException($"{pair.Place}: the field '{field}' is missing; length control needs both outputs."));

    private static double[] Features(LengthControlFormula formula, double length, double difficulty, double model) =>
        formula == LengthControlFormula.Minimal ? [length, model] : [length, difficulty, model];

    private static double[] Solve(IReadOnlyList<(double[] X, double Y, double Weight)> rows, double c, double[]? start) =>
        L1LogisticRegression.Fit([.. rows.Select(r => r.X)], [.. rows.Select(r => r.Y)], [.. rows.Select(r => r.Weight)], c, start);

    /// <summary>
    /// The best of ten penalties from 1e-4 to 1e4 by five-fold cross validation. A row's two soft labels are one row here, so that both are always in
    /// one fold; rows are dealt to folds from the last on.
    /// </summary>
    private static double ChooseC(List<(double[] X, double Y, double Weight)> rows)
    {
        double[] penalties = [.. Enumerable.Range(0, Candidates).Select(k => Math.Pow(10, -4 + (8.0 * k / (Candidates - 1))))];
        if (rows.Count < Folds)
        {
            return penalties[^1];
        }

        double[] scores = new double[Candidates];
        for (int fold = 0; fold < Folds; fold++)
        {
            var train = rows.Where((_, i) => (rows.Count - 1 - i) % Folds != fold).ToList();
            var held = rows.Where((_, i) => (rows.Count - 1 - i) % Folds == fold).ToList();
            double[]? beta = null;
            for (int k = 0; k < Candidates; k++)
            {
                // The path of penalties goes from strong to weak, each start being the end of the one before.
                beta = Solve(train, penalties[k], beta);
                scores[k] += Score(held, beta) / Folds;
            }
        }

        return penalties[Array.IndexOf(scores, scores.Max())];
    }

    /// <summary>The mean over rows of the weighted log-likelihood.</summary>
    private static double Score(List<(double[] X, double Y, double Weight)> rows, double[] beta) => rows.Average(r =>
    {
        double p = Math.Clamp(L1LogisticRegression.Sigmoid(r.X.Zip(beta, (x, b) => x * b).Sum()), LowestProbability, 1 - LowestProbability);
        return r.Weight * ((r.Y * Math.Log(p)) + ((1 - r.Y) * Math.Log(1 - p)));
    });
}
