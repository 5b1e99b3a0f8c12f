using Farm.Annotation.Metrics;

namespace Farm.Annotation.SparseFeedback;

/// <summary>How often the aligned model beats the reference, in percent.</summary>
/// <param name="Percent">The mean, a draw counting half.</param>
/// <param name="StandardError">Of the mean.</param>
/// <param name="Total">Pairs.</param>
public sealed record SparseWinRate(double Percent, double StandardError, int Total)
{
    private const double Normal95 = 1.96;

    /// <summary>Half the width of the 95 % interval.</summary>
    public double ConfidenceInterval => Normal95 * StandardError;

    /// <summary>From rankings whose first response is the reference's and whose second is the model's; every row counts.</summary>
    public static SparseWinRate OfRankings(IReadOnlyList<SparseRanking> rankings)
    {
        ArgumentNullException.ThrowIfNull(rankings);
        return Of([.. rankings.Select(r => r.Verdict switch { SparseVerdict.Second => 1.0, SparseVerdict.Equal => 0.5, _ => 0 })]);
    }

    /// <summary>From ratings of the reference's responses and of the model's; of an instruction the first row counts, and it must be in both.</summary>
    public static SparseWinRate OfRatings(IReadOnlyList<SparseRating> reference, IReadOnlyList<SparseRating> model)
    {
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(model);
        var scores = model.DistinctBy(r => r.Instruction).ToDictionary(r => r.Instruction, r => r.Score);
        return Of([.. reference.DistinctBy(r => r.Instruction).Where(r => scores.ContainsKey(r.Instruction))
            .Select(r => r.Score == scores[r.Instruction] ? 0.5 : scores[r.Instruction] > r.Score ? 1.0 : 0)]);
    }

    private static SparseWinRate Of(double[] wins) => new(100 * Statistics.Mean(wins), 100 * Statistics.StandardError(wins), wins.Length);
}
