namespace Farm.Annotation.Metrics.Analysis;

/// <summary>What a judge prefers apart from quality; a share is NaN where no pair can show it.</summary>
/// <param name="PreferLonger">Of pairs whose lengths differ by more than 30 characters, the share where the longer output is preferred.</param>
/// <param name="PreferLists">Of pairs where one output has a list, the share where it is preferred.</param>
/// <param name="PreferFirst">2 minus the mean preference.</param>
/// <param name="PercentageLonger">The mean of (preferred length - other length) / other length.</param>
/// <param name="PercentageList">How much more often preferred outputs have a list, relative to the others.</param>
public sealed record OutputBias(double PreferLonger, double PreferLists, double PreferFirst, double PercentageLonger, double PercentageList)
{
    private const int LengthDifference = 30;

    /// <summary>Measures the biases; of rows of the same pair the first counts.</summary>
    public static OutputBias Of(IReadOnlyList<ScoredPair> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var preferred = rows.DistinctBy(r => r.Key).Where(r => r.Output1 is not null && r.Output2 is not null)
            .Select(r => (Best: r.Preference is >= 1 and < 1.5 ? r.Output1! : r.Output2!, Worse: r.Preference is > 1.5 and <= 2 ? r.Output1! : r.Output2!))
            .Select(p => Measure(p.Best, p.Worse))
            .ToList();
        static (int Best, int Worse, bool BestList, bool WorseList) Measure(string best, string worse) =>
            (CodePoints.Count(best), CodePoints.Count(worse), ListDetector.HasList(best), ListDetector.HasList(worse));
        double lists = Statistics.Mean([.. preferred.Select(p => p.WorseList ? 1.0 : 0)]);
        return new OutputBias(
            Share(preferred.Where(p => Math.Abs(p.Best - p.Worse) > LengthDifference).Select(p => p.Best > p.Worse)),
            Share(preferred.Where(p => p.BestList != p.WorseList).Select(p => p.BestList)),
            2 - Statistics.Mean([.. rows.Select(r => r.Preference).OfType<double>()]),
            Statistics.Mean([.. preferred.Where(p => p.Worse > 0).Select(p => (double)(p.Best - p.Worse) / p.Worse)]),
            lists > 0 ? (Statistics.Mean([.. preferred.Select(p => p.BestList ? 1.0 : 0)]) - lists) / lists : double.NaN);
    }

    private static double Share(IEnumerable<bool> values) => Statistics.Mean([.. values.Select(v => v ? 1.0 : 0)]);
}
