using Farm.Core;
using Farm.Pocket.Judging;

namespace Farm.Pocket.Data;

/// <summary>Makes preference rows: pairs of responses with the label of a judge.</summary>
public static class PocketPreferences
{
    /// <summary>Pairs among given responses, e.g. samples of a policy.</summary>
    /// <param name="rows">The rows; their outputs are not used.</param>
    /// <param name="responses">For each row its responses; a row with fewer than two different ones gives no pair.</param>
    /// <param name="judge">Who labels.</param>
    /// <param name="pairsPerRow">The most pairs of a row, at least 1; they are different pairs.</param>
    /// <param name="seed">Seed of the choice and order of pairs.</param>
    /// <param name="asSampled">
    /// Draws pairs from the responses as they are, so that a frequent one is compared often, as pairs of samples of a policy are; else equal responses count once.
    /// </param>
    /// <exception cref="BadInputException">The counts do not match, or a judge's answer is neither 1 nor 2.</exception>
    public static IReadOnlyList<PocketPreference> Create(
        IReadOnlyList<PocketRow> rows, IReadOnlyList<IReadOnlyList<string>> responses, IPairwiseJudge judge, int pairsPerRow = 1, ulong seed = 0, bool asSampled = false)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(responses);
        ArgumentNullException.ThrowIfNull(judge);
        ArgumentOutOfRangeException.ThrowIfLessThan(pairsPerRow, 1);
        if (rows.Count != responses.Count)
        {
            throw new BadInputException($"There are {rows.Count} rows, but responses for {responses.Count}.");
        }

        return [.. rows.Zip(responses).SelectMany(p => Pairs(p.First, p.Second, judge, pairsPerRow, seed, asSampled))];
    }

    /// <summary>Pairs without a model: two demonstrations of each row, one of the usual mixed quality and one with a flaw, in random order.</summary>
    /// <param name="rows">The rows; their outputs are not used.</param>
    /// <param name="judge">Who labels.</param>
    /// <param name="pairsPerRow">The most pairs of a row.</param>
    /// <param name="seed">Seed of the demonstrations and pairs.</param>
    /// <exception cref="BadInputException">A row is no instruction of the pocket world.</exception>
    public static IReadOnlyList<PocketPreference> FromDemonstrations(IReadOnlyList<PocketRow> rows, IPairwiseJudge judge, int pairsPerRow = 1, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentOutOfRangeException.ThrowIfLessThan(pairsPerRow, 1);
        return Create(rows, [.. rows.Select(r => Demonstrations(r, pairsPerRow, new Draws(seed, $"pair\n{r.Key}")))], judge, pairsPerRow, seed);
    }

    private static string[] Demonstrations(PocketRow row, int pairs, Draws draws)
    {
        var mix = new DemonstrationMix();
        var different = new HashSet<string>(StringComparer.Ordinal);
        for (int attempt = 0; attempt < 20 && different.Count < pairs + 1; attempt++)
        {
            different.Add(Demonstrator.Write(row, attempt % 2 == 0 ? mix : DemonstrationMix.Flawed, draws));
        }

        return [.. different];
    }

    private static IEnumerable<PocketPreference> Pairs(PocketRow row, IReadOnlyList<string> responses, IPairwiseJudge judge, int most, ulong seed, bool asSampled)
    {
        string[] compared = [.. asSampled ? responses : responses.Distinct(StringComparer.Ordinal)];
        var draws = new Draws(seed, $"order\n{row.Key}");
        (string, string)[] pairs =
        [
            .. from i in Enumerable.Range(0, compared.Length)
               from j in Enumerable.Range(i + 1, compared.Length - i - 1)
               where compared[i] != compared[j]
               select (compared[i], compared[j]),
        ];
        foreach (var (left, right) in draws.Some(pairs, Math.Min(most, pairs.Length)))
        {
            var (first, second) = draws.Chance(0.5) ? (left, right) : (right, left);
            int preference = judge.Prefer(row, first, second);
            yield return preference is 1 or 2
                ? new PocketPreference(row.Instruction, row.Input, first, second, preference)
                : throw new BadInputException($"The judge {judge.Name} answered {preference} for '{row.Instruction}', which is neither 1 nor 2.");
        }
    }
}
