using Farm.Core;

namespace Farm.Inference;

/// <summary>A response ready to run: cut to length, with at least one token of its own so that there is a row to read the reward at.</summary>
internal sealed record PreparedResponse(PreparedGroup Group, int Number, int Shared, ReadOnlyMemory<int> Tokens)
{
    public ReadOnlySpan<int> Ids => Tokens.Span;
}

/// <summary>A prompt whose K/V the responses of a wave share.</summary>
internal sealed class PreparedGroup(int groupNumber, int[] prefix, int prefixLength)
{
    public int GroupNumber => groupNumber;

    public int[] Prefix => prefix;

    /// <summary>Leading tokens of the prefix that some response needs.</summary>
    public int PrefixLength => prefixLength;

    public int[] Pages { get; set; } = [];
}

/// <summary>Groups scored together: first their prefixes, then all their responses.</summary>
internal sealed class ScoringWave
{
    /// <summary>Prefixes of a wave take at most so many pages, unless one alone takes more.</summary>
    public const int MaxPrefixPages = 32;

    public List<PreparedGroup> Groups { get; } = [];

    public List<PreparedResponse> Responses { get; } = [];

    public int PrefixPages { get; private set; }

    public int LongestResponsePages { get; private set; }

    public long Tokens { get; private set; }

    /// <summary>
    /// Cuts and checks all groups and divides them into waves, in order, so that a wave's prefixes and one response fit in
    /// <paramref name="budgetPages"/> (unless one group alone does not).
    /// </summary>
    public static List<ScoringWave> Plan(IReadOnlyList<ScoringGroup> groups, int maxLength, int vocabularySize, long budgetPages)
    {
        var prepared = groups.Select((group, number) => Prepare(group, number, maxLength, vocabularySize)).ToList();
        int longest = prepared.SelectMany(group => group.Responses).Select(response => KvPool.PagesFor(response.Ids.Length)).DefaultIfEmpty().Max();
        long limit = Math.Min(MaxPrefixPages, budgetPages - longest);
        var waves = new List<ScoringWave>();
        foreach (var (group, responses) in prepared)
        {
            if (waves.Count == 0 || waves[^1].PrefixPages + KvPool.PagesFor(group.PrefixLength) > limit)
            {
                waves.Add(new ScoringWave());
            }

            waves[^1].Add(group, responses);
        }

        return waves;
    }

    private void Add(PreparedGroup group, List<PreparedResponse> responses)
    {
        Groups.Add(group);
        PrefixPages += KvPool.PagesFor(group.PrefixLength);
        Tokens += group.PrefixLength;
        // Responses that share equally much stand together: they form one group of the attention plan.
        foreach (var response in responses.OrderBy(response => response.Shared))
        {
            Responses.Add(response);
            LongestResponsePages = Math.Max(LongestResponsePages, KvPool.PagesFor(response.Ids.Length));
            Tokens += response.Ids.Length;
        }
    }

    private static (PreparedGroup Group, List<PreparedResponse> Responses) Prepare(ScoringGroup source, int number, int maxLength, int vocabularySize)
    {
        CheckIds(source, source.Prefix, vocabularySize);
        var cuts = source.Responses.Select(response => Cut(source, response, maxLength, vocabularySize)).ToList();
        var group = new PreparedGroup(number, source.Prefix, cuts.Count == 0 ? 0 : cuts.Max(cut => cut.Shared));
        return (group, [.. cuts.Select((cut, i) => new PreparedResponse(group, i, cut.Shared, cut.Tokens))]);
    }

    private static (int Shared, ReadOnlyMemory<int> Tokens) Cut(ScoringGroup source, ScoringResponse response, int maxLength, int vocabularySize)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(response.Shared, source.Prefix.Length, nameof(response));
        ArgumentOutOfRangeException.ThrowIfNegative(response.Shared, nameof(response));
        CheckIds(source, response.Ids, vocabularySize);
        int total = Math.Min(response.Shared + response.Ids.Length, maxLength);
        if (total == 0)
        {
            throw new BadInputException($"Row {source.Index + 1}: there is nothing to score, prompt and response have no tokens.");
        }

        return response.Shared < total
            ? (response.Shared, response.Ids.AsMemory(0, total - response.Shared))
            : (total - 1, source.Prefix.AsMemory(total - 1, 1));
    }

    private static void CheckIds(ScoringGroup source, int[] ids, int vocabularySize)
    {
        foreach (int id in ids)
        {
            if (id < 0 || id >= vocabularySize)
            {
                throw new BadInputException($"Row {source.Index + 1}: token id {id} is outside the scorer's vocabulary of {vocabularySize}.");
            }
        }
    }
}
