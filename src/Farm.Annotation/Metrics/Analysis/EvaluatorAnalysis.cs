namespace Farm.Annotation.Metrics.Analysis;

/// <summary>A judge's line of AlpacaEval's table of evaluators.</summary>
public static class EvaluatorAnalysis
{
    private const int LeastRowsOfGenerator = 100, GoldVotes = 4;
    private const string EvalSplit = "eval";

    /// <summary>The columns, in order.</summary>
    public static readonly IReadOnlyList<string> Columns =
    [
        "Human agreement", "Price [$/1000 examples]", "Time [seconds/1000 examples]", "Spearman corr.", "Pearson corr.", "Bias", "Variance",
        "Proba. prefer longer", "Proba. prefer lists", "Proba. prefer 1", "# parsed", "mode",
    ];

    /// <summary>Computes the line; what cannot be computed is left empty.</summary>
    /// <param name="name">The judge's name.</param>
    /// <param name="rows">Its annotations, of several seeds where there are.</param>
    /// <param name="gold">Annotations by people (or by whatever is to be agreed with); null for none.</param>
    /// <param name="rule">How agreement is scored.</param>
    /// <param name="mode">What stands in the column <c>mode</c>.</param>
    /// <param name="leastRows">A generator counts in the correlations from more than this many rows of the gold annotations on.</param>
    public static LeaderboardRow Row(
        string name, IReadOnlyList<ScoredPair> rows, IReadOnlyList<ScoredPair>? gold, ScoringRule rule = ScoringRule.Absolute, string mode = "community", int leastRows = LeastRowsOfGenerator)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var table = VoteTable.Of(rows);
        var row = new LeaderboardRow(name);
        var goldTable = gold is null ? null : GoldTable(gold);
        var (spearman, pearson) = gold is null ? (double.NaN, double.NaN) : Correlations(rows, gold, leastRows);
        var bias = OutputBias.Of(rows);
        row.Set(Columns[0], goldTable is null ? double.NaN : 100 * Agreement.Between(table, 1, goldTable, rule: rule).Score);
        row.Set(Columns[1], 1000 * Statistics.Mean([.. rows.Select(r => r.Price).OfType<double>()]));
        row.Set(Columns[2], 1000 * Statistics.Mean([.. rows.Select(r => r.Seconds).OfType<double>()]));
        row.Set(Columns[3], spearman);
        row.Set(Columns[4], pearson);
        row.Set(Columns[5], goldTable is null || table.Count < 2 ? double.NaN : 100 * Agreement.Between(table, table.Count, goldTable, rule: rule).Error);
        row.Set(Columns[6], table.Count < 2 ? double.NaN : 100 * Agreement.Within(table, 1, rule: rule).Error);
        row.Set(Columns[7], bias.PreferLonger);
        row.Set(Columns[8], bias.PreferLists);
        row.Set(Columns[9], bias.PreferFirst);
        row.Set(Columns[10], rows.Count(r => r.Preference is not null));
        row.Set(Columns[11], mode);
        return row;
    }

    /// <summary>Spearman's and Pearson's correlation, over generators, of the win rates by the judge and by the gold annotations.</summary>
    public static (double Spearman, double Pearson) Correlations(IReadOnlyList<ScoredPair> rows, IReadOnlyList<ScoredPair> gold, int leastRows = LeastRowsOfGenerator)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(gold);
        var generators = gold.Where(g => g.Generator2 is not null).DistinctBy(g => g.Key).ToDictionary(g => g.Key, g => g.Generator2!);
        var theirs = WinRates(gold, generators, leastRows);
        var mine = WinRates(rows, generators, 0);
        string[] common = [.. theirs.Keys.Where(mine.ContainsKey)];
        double[] x = [.. common.Select(g => mine[g])], y = [.. common.Select(g => theirs[g])];
        return (Statistics.Spearman(x, y), Statistics.Pearson(x, y));
    }

    /// <summary>Four votes where the gold annotations have as many on some pair, else as many as the poorest pair has.</summary>
    private static VoteTable GoldTable(IReadOnlyList<ScoredPair> gold) =>
        VoteTable.Of(gold, GoldVotes) is { Votes.Count: > 0 } four ? four : VoteTable.Of(gold);

    private static Dictionary<string, double> WinRates(IReadOnlyList<ScoredPair> rows, Dictionary<(string?, string?, string?, string?), string> generators, int leastRows) => rows
        .Where(r => (r.Datasplit is null or EvalSplit) && r.Preference is not null)
        .Select(r => (Generator: r.Generator2 ?? generators.GetValueOrDefault(r.Key), r.Preference))
        .Where(r => r.Generator is not null)
        .GroupBy(r => r.Generator!)
        .Where(g => g.Count() > leastRows)
        .ToDictionary(g => g.Key, g => WinRate.Of(g.Select(r => r.Preference)).Percent);
}
