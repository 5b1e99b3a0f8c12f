namespace Farm.Annotation.Metrics.Analysis;

/// <summary>How well one set of annotations predicts another.</summary>
/// <param name="Score">1 minus the error, averaged over all choices of votes.</param>
/// <param name="SampleError">The standard error over pairs, averaged over all choices of votes.</param>
/// <param name="AnnotatorError">The standard error over the choices of votes.</param>
/// <param name="Pairs">Pairs compared in each choice, on average.</param>
/// <param name="Choices">Choices of votes.</param>
public sealed record Agreement(double Score, double SampleError, double AnnotatorError, double Pairs, int Choices)
{
    private const int MostVotes = 12;

    /// <summary>1 minus <see cref="Score"/>.</summary>
    public double Error => 1 - Score;

    /// <summary>Compares every <paramref name="votes"/> votes of one table with every <paramref name="otherVotes"/> (null: all) of another.</summary>
    public static Agreement Between(VoteTable table, int votes, VoteTable other, int? otherVotes = null, ScoringRule rule = ScoringRule.Absolute)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(other);
        var pairs = from first in Combinations(table.Count, votes) from second in Combinations(other.Count, otherVotes ?? other.Count) select (first, second);
        return Average([.. pairs.Select(c => Compare(table, c.first, other, c.second, rule))]);
    }

    /// <summary>Compares every <paramref name="votes"/> votes of a table with every <paramref name="otherVotes"/> (null: all) of its others.</summary>
    public static Agreement Within(VoteTable table, int votes, int? otherVotes = null, ScoringRule rule = ScoringRule.Absolute)
    {
        ArgumentNullException.ThrowIfNull(table);
        var pairs = from first in Combinations(table.Count, votes)
                    from second in Combinations(table.Count, otherVotes ?? table.Count - votes)
                    where !first.Intersect(second).Any()
                    select (first, second);
        return Average([.. pairs.Select(c => Compare(table, c.first, table, c.second, rule))]);
    }

    private static (double Score, double Error, int Pairs) Compare(VoteTable table, int[] votes, VoteTable other, int[] otherVotes, ScoringRule rule)
    {
        var errors = new List<double>();
        foreach (var (key, mine) in table.Votes)
        {
            if (other.Votes.TryGetValue(key, out double?[]? theirs)
                && rule.Estimate(votes.Select(i => mine[i])) is { } prediction
                && rule.Estimate(otherVotes.Select(i => theirs[i])) is { } target)
            {
                errors.Add(rule.Error(prediction, target));
            }
        }

        return (1 - Statistics.Mean(errors), Statistics.StandardError(errors), errors.Count);
    }

    private static Agreement Average(List<(double Score, double Error, int Pairs)> compared)
    {
        var some = compared.Where(c => c.Pairs > 0).ToList();
        return new Agreement(
            Statistics.Mean([.. some.Select(c => c.Score)]),
            Statistics.Mean([.. some.Select(c => c.Error)]),
            Statistics.StandardError([.. some.Select(c => c.Score)]),
            Statistics.Mean([.. some.Select(c => (double)c.Pairs)]),
            some.Count);
    }

    /// <summary>All ways to take <paramref name="k"/> of the first <paramref name="n"/> votes.</summary>
    private static IEnumerable<int[]> Combinations(int n, int k)
    {
        int votes = Math.Min(n, MostVotes);
        return k < 1 || k > n ? []
            : k == n ? [[.. Enumerable.Range(0, n)]]
            : Enumerable.Range(0, 1 << votes).Where(mask => int.PopCount(mask) == k).Select(mask => Enumerable.Range(0, votes).Where(i => (mask >> i & 1) == 1).ToArray());
    }
}
