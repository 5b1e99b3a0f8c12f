using Farm.Core;

namespace Farm.Conformance;

/// <summary>Sequences that share a prefix: each with a suffix, of which the newest rows are queries.</summary>
public sealed record GroupSpec(int Prefix, params (int Queries, int Suffix)[] Sequences)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Prefix}+({string.Join(' ', Sequences.Select(s => $"{s.Queries}/{s.Suffix}"))})";
}

/// <summary>A filled pool and the plan over it, the pages in a shuffled order as they are after long use.</summary>
public sealed class AttentionSetup
{
    private readonly List<int> _slots = [];

    /// <summary>Appends random keys and values of every group at <paramref name="layer"/> and fills the plan.</summary>
    public AttentionSetup(Rig rig, KvShape shape, int queryHeads, IReadOnlyList<GroupSpec> groups, int layer, int seed)
    {
        ArgumentNullException.ThrowIfNull(rig);
        ArgumentNullException.ThrowIfNull(groups);
        int pages = groups.Sum(g => KvPool.PagesFor(g.Prefix) + g.Sequences.Sum(s => KvPool.PagesFor(s.Suffix)));
        int[] order = TestData.Permutation(seed, pages + 2);
        Pool = rig.Pool(shape, pages + 2);
        Plan = new AttentionPlan(groups.Count, groups.Sum(g => g.Sequences.Length), Math.Max(pages, 1));
        Plan.Clear();
        int next = 0;
        foreach (var group in groups)
        {
            Plan.BeginGroup(group.Prefix, Take(group.Prefix));
            foreach (var (queries, suffix) in group.Sequences)
            {
                Plan.AddSequence(queries, suffix, Take(suffix));
                for (int i = 0; i < queries; i++)
                {
                    Visible.Add(group.Prefix + suffix - queries + i + 1);
                }
            }
        }

        Append(rig, shape, queryHeads, layer, seed);

        int[] Take(int tokens)
        {
            int[] taken = order.AsSpan(next, KvPool.PagesFor(tokens)).ToArray();
            next += taken.Length;
            for (int i = 0; i < tokens; i++)
            {
                _slots.Add((taken[i / KvPool.PageTokens] * KvPool.PageTokens) + (i % KvPool.PageTokens));
            }

            return taken;
        }
    }

    /// <summary>The pools.</summary>
    public (KvPool Actual, KvPool Expected) Pool { get; }

    /// <summary>The plan.</summary>
    public AttentionPlan Plan { get; }

    /// <summary>Keys that each query row sees.</summary>
    public List<int> Visible { get; } = [];

    // Position 0 turns by no angle, so that both backends store the very same keys.
    private void Append(Rig rig, KvShape shape, int queryHeads, int layer, int seed)
    {
        int half = shape.HeadDim / 2, width = (queryHeads + (2 * shape.KeyValueHeads)) * shape.HeadDim;
        var cosine = rig.Real(1, half, [.. Enumerable.Repeat(1f, half)]);
        var sine = rig.Real(1, half, new float[half]);
        var qkv = rig.Real(_slots.Count, width, TestData.Uniform(seed, _slots.Count * width));
        var positions = rig.Ints(new int[_slots.Count]);
        var slots = rig.Ints([.. _slots]);
        rig.Run(side => side.Backend.RopeAppendKv(side[qkv], queryHeads, shape.KeyValueHeads, side[positions], side[cosine], side[sine],
            side[Pool], layer, side[slots]));
    }
}
