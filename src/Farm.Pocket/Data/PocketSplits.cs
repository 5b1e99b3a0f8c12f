using Farm.Pocket.Kinds;
using Farm.Pocket.Tasks;

namespace Farm.Pocket.Data;

/// <summary>The splits of a seed: disjoint, each with every kind in the same proportions.</summary>
internal static class PocketSplits
{
    /// <summary>Names and sizes, in AlpacaFarm's words.</summary>
    public static readonly (string Name, int Rows)[] Sizes = [("sft", 24000), ("preference", 24000), ("unlabeled", 4000), ("val", 500), ("eval", 200)];

    /// <summary>Makes all splits; the outputs of one are written when it is first asked for.</summary>
    public static IReadOnlyDictionary<string, Lazy<IReadOnlyList<PocketRow>>> Create(ulong seed)
    {
        var rows = Distinct(seed, Sizes.Sum(s => s.Rows));
        var shuffled = new Draws(seed, "shuffle").Some(rows, rows.Count);
        var splits = new Dictionary<string, Lazy<IReadOnlyList<PocketRow>>>(StringComparer.Ordinal);
        int start = 0;
        foreach (var (name, count) in Sizes)
        {
            // The reference outputs of eval are right; all others are what a mixed crowd would write.
            var mix = name == "eval" ? DemonstrationMix.Clean : new DemonstrationMix();
            var part = shuffled.Skip(start).Take(count).ToArray();
            splits[name] = new(() => [.. part.Select(p => p.Row with { Output = Demonstrator.Write(p.Row, p.Kind, mix, new Draws(seed, $"demonstration\n{p.Row.Key}")) })]);
            start += count;
        }

        return splits;
    }

    // Kinds take turns; one that has nothing new to say in its turn is passed over.
    private static List<(PocketRow Row, TaskKind Kind)> Distinct(ulong seed, int count)
    {
        (TaskKind Kind, Draws Draws)[] kinds = [.. TaskKinds.All.Select(k => (k, new Draws(seed, $"rows\n{k.Name}")))];
        var keys = new HashSet<string>(StringComparer.Ordinal);
        var rows = new List<(PocketRow, TaskKind)>(count);
        while (rows.Count < count)
        {
            foreach (var (kind, draws) in kinds)
            {
                for (int attempt = 0; attempt < 8 && rows.Count < count; attempt++)
                {
                    var row = kind.Write(draws);

                    // A draw can be degenerate, e.g. a list of one; the kind then does not read it back. Most that fail are known already, which is cheaper to see.
                    if (!keys.Contains(row.Key) && kind.Read(row) is not null)
                    {
                        keys.Add(row.Key);
                        rows.Add((row, kind));
                        break;
                    }
                }
            }
        }

        return rows;
    }
}
