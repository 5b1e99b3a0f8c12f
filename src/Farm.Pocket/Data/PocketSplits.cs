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
        var shuffled = new Draws(seed, "shuffle").Some<(PocketRow Row, TaskKind Kind)>(Distinct(seed, Sizes.Sum(s => s.Rows)), Sizes.Sum(s => s.Rows));
        var splits = new Dictionary<string, Lazy<IReadOnlyList<PocketRow>>>(StringComparer.Ordinal);
        int start = 0;
        foreach (var (name, count) in Sizes)
        {
            // The reference outputs of eval are right; all others are what a mixed crowd would write.
            var mix = name == "eval" ? DemonstrationMix.Clean : new DemonstrationMix();
            var part = shuffled.AsMemory(start, count);
            splits[name] = new(() => Demonstrate(part, mix, seed));
            start += count;
        }

        return splits;
    }

    // Each row has draws of its own, so the rows may be written in any order.
    private static PocketRow[] Demonstrate(ReadOnlyMemory<(PocketRow Row, TaskKind Kind)> part, DemonstrationMix mix, ulong seed)
    {
        var rows = new PocketRow[part.Length];
        Parallel.For(0, rows.Length, i =>
        {
            var (row, kind) = part.Span[i];
            rows[i] = row with { Output = Demonstrator.Write(row, kind, mix, new Draws(seed, $"demonstration\n{row.Key}")) };
        });
        return rows;
    }

    // Kinds take turns; one that has nothing new to say in its turn is passed over.
    private static (PocketRow Row, TaskKind Kind)[] Distinct(ulong seed, int count)
    {
        (TaskKind Kind, Draws Draws)[] kinds = [.. TaskKinds.All.Select(k => (k, new Draws(seed, $"rows\n{k.Name}")))];
        var keys = new HashSet<string>(count, StringComparer.Ordinal);
        var rows = new (PocketRow, TaskKind)[count];
        int made = 0;
        while (made < count)
        {
            foreach (var (kind, draws) in kinds)
            {
                for (int attempt = 0; attempt < 8 && made < count; attempt++)
                {
                    var row = kind.Write(draws);
                    string key = row.Key;

                    // A draw can be degenerate, e.g. a list of one; the kind then does not read it back. Most that fail are known already, which is cheaper to see.
                    if (!keys.Contains(key) && kind.Read(row) is not null)
                    {
                        keys.Add(key);
                        rows[made++] = (row, kind);
                        break;
                    }
                }
            }
        }

        return rows;
    }
}
