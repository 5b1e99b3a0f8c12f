namespace Farm.Annotation.Metrics.Analysis;

/// <summary>Several annotations of each pair, by one judge in several runs or by several people.</summary>
public sealed class VoteTable
{
    private VoteTable(Dictionary<(string?, string?, string?, string?), double?[]> votes, int count) => (Votes, Count) = (votes, count);

    /// <summary>The votes of each pair, in order; as many for all, null where one is missing.</summary>
    public IReadOnlyDictionary<(string? Instruction, string? Input, string? Output1, string? Output2), double?[]> Votes { get; }

    /// <summary>Votes per pair.</summary>
    public int Count { get; }

    /// <summary>Gathers rows by pair. A row's vote is the one that its <c>index</c> says where every row has one, else the next of its pair.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="votes">Votes to keep per pair; pairs with fewer are dropped. Null for as many as the poorest pair has.</param>
    public static VoteTable Of(IReadOnlyList<ScoredPair> rows, int? votes = null)
    {
        ArgumentNullException.ThrowIfNull(rows);
        bool indexed = rows.All(r => r.Index is not null) && rows.Select(r => (r.Key, r.Index)).Distinct().Count() == rows.Count;
        var groups = rows.GroupBy(r => r.Key)
            .ToDictionary(g => g.Key, g => g.Select((r, i) => (Index: indexed ? r.Index!.Value : i, r.Preference)).OrderBy(v => v.Index).ToList());
        int wanted = votes ?? Math.Max(1, groups.Values.Select(g => g.Count(v => v.Preference is not null)).DefaultIfEmpty(0).Min());
        var kept = new Dictionary<(string?, string?, string?, string?), double?[]>();
        foreach (var (key, group) in groups)
        {
            double?[] first = new double?[wanted];
            foreach (var (index, preference) in group.Where(v => v.Index < wanted))
            {
                first[index] = preference;
            }

            if (group.Count(v => v.Preference is not null) >= wanted)
            {
                kept[key] = first;
            }
        }

        return new VoteTable(kept, wanted);
    }
}
