using Farm.Annotation.Metrics;

namespace Farm.Annotation.SparseFeedback;

/// <summary>How often ratings and rankings of the same responses say the same (Bansal et al., "Peering through preferences", 2023).</summary>
/// <param name="Matrix">
/// Counts: the rows are what the ratings say (equal, the first response, the second), the columns what the rankings say (equal, (a), (b)).
/// </param>
/// <param name="Ratings">Different rated responses.</param>
/// <param name="Rankings">Different ranked pairs.</param>
public sealed record Consistency(int[][] Matrix, int Ratings, int Rankings)
{
    /// <summary>Pairs that have a ranking and both ratings.</summary>
    public int Total => Matrix.Sum(r => r.Sum());

    /// <summary>The share, in percent, of pairs on which both agree.</summary>
    public double Percent => 100.0 * (Matrix[0][0] + Matrix[1][1] + Matrix[2][2]) / Total;

    /// <summary>The standard error of <see cref="Percent"/>.</summary>
    public double StandardError => 100 * Statistics.StandardError([.. Matrix.SelectMany((row, i) => row.SelectMany((n, j) => Enumerable.Repeat(i == j ? 1.0 : 0, n)))]);

    /// <summary>Compares ratings with rankings; of rows about the same texts the first counts.</summary>
    public static Consistency Of(IReadOnlyList<SparseRating> ratings, IReadOnlyList<SparseRanking> rankings)
    {
        ArgumentNullException.ThrowIfNull(ratings);
        ArgumentNullException.ThrowIfNull(rankings);
        var rated = ratings.DistinctBy(r => (r.Instruction, SparseInput.Of(r.Input), r.Output)).ToList();
        var ranked = rankings.DistinctBy(r => (r.Instruction, SparseInput.Of(r.Input), r.Output1, r.Output2)).ToList();
        var scores = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var row in rated)
        {
            scores[Key(row.Instruction, row.Input, row.Output)] = row.Score;
        }

        int[][] matrix = [[0, 0, 0], [0, 0, 0], [0, 0, 0]];
        foreach (var row in ranked)
        {
            if (scores.TryGetValue(Key(row.Instruction, row.Input, row.Output1), out double first)
                && scores.TryGetValue(Key(row.Instruction, row.Input, row.Output2), out double second))
            {
                matrix[first == second ? 0 : first > second ? 1 : 2][(int)row.Verdict]++;
            }
        }

        return new Consistency(matrix, rated.Count, ranked.Count);
    }

    private static string Key(string instruction, string input, string output) => $"{instruction}-{SparseInput.Of(input) ?? "nan"}-{output}";
}
