using Farm.Core;

namespace Farm.Conformance;

public abstract partial class BackendConformance
{
    private static readonly GroupSpec[][] Plans =
    [
        [new(0, (1, 1))],
        [new(0, (17, 17))],
        [new(0, (130, 130))],
        [new(0, (5, 129), (3, 3))],
        [new(1, (1, 1)), new(0, (1, 128))],
        [new(15, (1, 1), (1, 7), (1, 127))],
        [new(16, (1, 128), (1, 129), (1, 16), (1, 15), (1, 1))],
        [new(17, (4, 9), (9, 9))],
        [new(127, (1, 2), (1, 130))],
        [new(128, (1, 1), (7, 7), (1, 64))],
        [new(129, (33, 40), (2, 131))],
        [new(300, [.. Enumerable.Range(1, 16).Select(i => (1, i * 9))])],
        [new(300, (8, 8), (13, 20)), new(0, (31, 31)), new(65, (1, 3), (1, 100)), new(2, (16, 257))],
        [new(64, (1, 33)), new(64, (1, 1), (1, 1)), new(0, (1, 65)), new(31, (1, 5), (1, 6), (1, 7))],
    ];

    private static readonly (int Query, int KeyValue)[] Heads = [(1, 1), (3, 3), (2, 1), (8, 4), (3, 1), (6, 2), (8, 1), (16, 2)];

    public static IEnumerable<object[]> AttentionCases() =>
        from l in Pairwise.Cover(Plans.Length, HeadDims.Length, Heads.Length, 2, 2)
        select new object[] { l[0], string.Join(", ", Plans[l[0]].Select(g => g.ToString())), HeadDims[l[1]], Heads[l[2]].Query,
            Heads[l[2]].KeyValue,
            l[3] == 0 ? DType.F32 : DType.BF16, l[4] == 1 };

    [ConformanceTheory]
    [MemberData(nameof(AttentionCases))]
    public void Attention_matches_the_reference(int plan, string groups, int headDim, int queryHeads, int kvHeads, DType storage,
        bool sliced)
    {
        using var rig = NewRig();
        var setup = new AttentionSetup(rig, new KvShape(2, kvHeads, headDim, storage), queryHeads, Plans[plan], layer: 1, seed: plan);
        int rows = setup.Plan.QueryRows, width = queryHeads * headDim;
        float scale = 1 / MathF.Sqrt(headDim);
        var queries = rig.Real(rows, width, TestData.Uniform(plan + 1, rows * width, 3f), pad: sliced ? 2 * headDim : 0);
        var output = rig.Output(rows, width);
        rig.Run(side => side.Backend.Attention(side[queries], queryHeads, side[setup.Pool], 1, setup.Plan, scale, side[output]));
        rig.Compare($"Attention {groups}, {queryHeads}/{kvHeads} heads of {headDim}, {storage.Name()}", output, (row, _, _) =>
            Tolerances.Attention(headDim, setup.Visible[row], 3 * Math.Sqrt(headDim), Math.Sqrt(headDim), scale));
    }

    [ConformanceTheory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void Attention_to_one_key_returns_its_value(DType storage)
    {
        foreach (int headDim in HeadDims)
        {
            using var rig = NewRig();
            var setup = new AttentionSetup(rig, new KvShape(1, 2, headDim, storage), 4, [new(0, (1, 1)), new(0, (1, 1))], 0, headDim);
            var queries = rig.Real(2, 4 * headDim, TestData.Uniform(1, 8 * headDim));
            var output = rig.Output(2, 4 * headDim);
            rig.Run(side => side.Backend.Attention(side[queries], 4, side[setup.Pool], 0, setup.Plan, 0.5f, side[output]));
            rig.Compare($"Attention to one key, {storage.Name()}", output, (_, _, want) => 2 * Tolerances.U * Math.Abs(want));
        }
    }

    [ConformanceFact]
    public void Attention_survives_scores_far_beyond_the_range_of_the_exponential()
    {
        using var rig = NewRig();
        var setup = new AttentionSetup(rig, new KvShape(1, 1, 32, DType.F32), 2, [new(140, (3, 150), (1, 5))], 0, 5);
        var queries = rig.Real(4, 64, TestData.Uniform(6, 4 * 64, 200f));
        var output = rig.Output(4, 64);
        rig.Run(side => side.Backend.Attention(side[queries], 2, side[setup.Pool], 0, setup.Plan, 1f, side[output]));
        rig.Compare("Attention with scores of hundreds", output, (row, _, _) =>
            Tolerances.Attention(32, setup.Visible[row], 200 * Math.Sqrt(32 / 3.0), Math.Sqrt(32 / 3.0), 1));
        Assert.All(rig.Got(output), x => Assert.True(float.IsFinite(x)));
    }

    [ConformanceFact]
    public void Attention_refuses_wrong_shapes()
    {
        using var rig = NewRig();
        var b = rig.Actual;
        var setup = new AttentionSetup(rig, new KvShape(2, 2, 16, DType.F32), 4, [new(3, (1, 2))], 0, 1);
        Tensor queries = rig.Output(1, 64).Actual, output = rig.Output(1, 64).Actual;
        b.Attention(queries, 4, setup.Pool.Actual, 0, setup.Plan, 1f, output);
        Assert.ThrowsAny<ArgumentException>(() => b.Attention(rig.Output(2, 64).Actual, 4, setup.Pool.Actual, 0, setup.Plan, 1f, output));
        Assert.ThrowsAny<ArgumentException>(() => b.Attention(rig.Output(1, 48).Actual, 4, setup.Pool.Actual, 0, setup.Plan, 1f, output));
        Assert.ThrowsAny<ArgumentException>(() => b.Attention(queries, 4, setup.Pool.Actual, 0, setup.Plan, 1f, rig.Output(2, 64).Actual));
        Assert.ThrowsAny<ArgumentException>(() => b.Attention(queries, 4, setup.Pool.Actual, 2, setup.Plan, 1f, output));
        Assert.ThrowsAny<ArgumentException>(() => b.Attention(queries, 4, setup.Pool.Actual, -1, setup.Plan, 1f, output));
        Assert.ThrowsAny<ArgumentException>(() =>
            b.Attention(rig.Output(1, 48).Actual, 3, setup.Pool.Actual, 0, setup.Plan, 1f, rig.Output(1, 48).Actual));
        Assert.ThrowsAny<ArgumentException>(() => b.CreateKvPool(new KvShape(1, 1, 15, DType.F32), 1));
        Assert.ThrowsAny<ArgumentException>(() => b.CreateKvPool(new KvShape(1, 1, 16, DType.F16), 1));
        Assert.ThrowsAny<ArgumentException>(() => b.CreateKvPool(new KvShape(1, 1, 16, DType.F32), -1));
    }
}
