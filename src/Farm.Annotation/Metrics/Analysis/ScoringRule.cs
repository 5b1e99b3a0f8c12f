namespace Farm.Annotation.Metrics.Analysis;

/// <summary>How a prediction of a preference is scored against another.</summary>
public enum ScoringRule
{
    /// <summary>1 minus the mean absolute difference.</summary>
    Absolute,

    /// <summary>The share of equal verdicts, weighted preferences rounded.</summary>
    ZeroOne,

    /// <summary>1 minus the mean squared difference.</summary>
    Squared,
}

/// <summary>What each rule does with values in 1 to 2.</summary>
public static class ScoringRules
{
    /// <summary>The error of one prediction, 0 for a right one.</summary>
    public static double Error(this ScoringRule rule, double prediction, double target) => rule switch
    {
        ScoringRule.Absolute => Math.Abs(prediction - target),
        ScoringRule.Squared => (prediction - target) * (prediction - target),
        _ => prediction == target ? 0 : 1,
    };

    /// <summary>
    /// The best single value for a group of annotations under the rule: the mode of verdicts (the median of weighted preferences) for
    /// <see cref="ScoringRule.Absolute"/>, the mode of rounded ones for <see cref="ScoringRule.ZeroOne"/>, the mean for <see cref="ScoringRule.Squared"/>;
    /// null where no annotation has a value.
    /// </summary>
    public static double? Estimate(this ScoringRule rule, IEnumerable<double?> annotations)
    {
        double[] values = [.. annotations.OfType<double>().Select(v => rule == ScoringRule.ZeroOne ? Round(v) : v)];
        return values.Length == 0 ? null
            : rule == ScoringRule.Squared ? Statistics.Mean(values)
            : rule == ScoringRule.ZeroOne || values.All(v => v is 0 or 1 or 1.5 or 2) ? Mode(values)
            : Statistics.Median(values);
    }

    /// <summary>A draw becomes 0, anything else 1 or 2.</summary>
    private static double Round(double value) => value == Preference.Draw ? 0 : Math.Round(value, MidpointRounding.ToEven);

    // AlpacaEval draws among tied modes with a fixed seed, so that of two the greater wins, of three the smallest, of four the greatest.
    private static double Mode(double[] values)
    {
        var groups = values.GroupBy(v => v).ToList();
        int most = groups.Max(g => g.Count());
        double[] tied = [.. groups.Where(g => g.Count() == most).Select(g => g.Key).Order()];
        return tied.Length == 3 ? tied[0] : tied[^1];
    }
}
