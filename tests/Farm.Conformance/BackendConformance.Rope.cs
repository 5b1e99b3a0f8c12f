using Farm.Core;

namespace Farm.Conformance;

public abstract partial class BackendConformance
{
    public static IEnumerable<object[]> RopeCases() =>
        from l in Pairwise.Cover(RowCounts.Length, HeadDims.Length, Heads.Length, 2, 2)
        select new object[] { RowCounts[l[0]], HeadDims[l[1]], Heads[l[2]].Query, Heads[l[2]].KeyValue,
            l[3] == 0 ? DType.F32 : DType.BF16, l[4] * 2 };

    [ConformanceTheory]
    [MemberData(nameof(RopeCases))]
    public void RopeAppendKv_rotates_in_place_and_appends(int rows, int headDim, int queryHeads, int kvHeads, DType storage, int pad)
    {
        using var rig = NewRig();
        int width = (queryHeads + (2 * kvHeads)) * headDim, half = headDim / 2;
        var (cosine, sine) = Angles(rig, 300, half);
        var qkv = rig.Real(rows, width, TestData.Uniform(rows, rows * width), pad);
        var positions = rig.Ints(TestData.Integers(rows, rows, 300));
        int[] slot = TestData.Permutation(rows, 2 * KvPool.PageTokens)[..rows];
        var slots = rig.Ints(slot);
        var shape = new KvShape(2, kvHeads, headDim, storage);
        var pool = rig.Pool(shape, 2);
        Fill(rig, pool, shape, layer: 1);
        rig.Run(side => side.Backend.RopeAppendKv(side[qkv], queryHeads, kvHeads, side[positions], side[cosine], side[sine], side[pool],
            1, side[slots]));
        rig.Compare("RopeAppendKv", qkv, (_, column, want) => column < (queryHeads + kvHeads) * headDim ? Tolerances.Rope(1) : 0);

        // What went into the pool is read through attention: the keys decide the weights, the values the sum.
        var plan = new AttentionPlan(1, 1, 2);
        var queries = rig.Real(1, queryHeads * headDim, TestData.Uniform(7, queryHeads * headDim));
        var output = rig.Output(1, queryHeads * headDim);
        plan.Clear();
        plan.BeginGroup(0, []);
        plan.AddSequence(1, 2 * KvPool.PageTokens, [1, 0]);
        rig.Run(side => side.Backend.Attention(side[queries], queryHeads, side[pool], 1, plan, 2f / MathF.Sqrt(headDim), side[output]));

        int keys = 2 * KvPool.PageTokens;
        double bound = Tolerances.Attention(headDim, keys, Math.Sqrt(headDim), Math.Sqrt(headDim), 2 / Math.Sqrt(headDim))
            + Tolerances.RotatedKeys(storage, headDim, keys);
        rig.Compare("Attention over appended keys", output, (_, _, _) => bound);
    }

    [ConformanceFact]
    public void RopeAppendKv_without_a_pool_only_rotates()
    {
        using var rig = NewRig();
        var (cosine, sine) = Angles(rig, 8, 8);
        var qkv = rig.Real(3, 64, TestData.Uniform(1, 3 * 64));
        var positions = rig.Ints([0, 7, 3]);
        rig.Run(side => side.Backend.RopeAppendKv(side[qkv], 2, 1, side[positions], side[cosine], side[sine], null, 0, default));
        rig.Compare("RopeAppendKv without a pool", qkv, (_, _, _) => Tolerances.Rope(1));
    }

    [ConformanceFact]
    public void RopeAppendKv_leaves_other_slots_and_layers_alone()
    {
        using var rig = NewRig();
        var (cosine, sine) = Angles(rig, 4, 8);
        var shape = new KvShape(2, 1, 16, DType.F32);
        var pool = rig.Pool(shape, 2);
        Fill(rig, pool, shape, 0);
        Fill(rig, pool, shape, 1);
        var plan = new AttentionPlan(1, 2, 2);
        plan.Clear();
        plan.BeginGroup(0, []);
        plan.AddSequence(1, 128, [0]);
        plan.AddSequence(1, 128, [1]);
        var queries = rig.Real(2, 32, TestData.Uniform(9, 64));
        foreach (int layer in new[] { 0, 1 })
        {
            var qkv = rig.Real(3, 64, TestData.Uniform(layer + 1, 3 * 64));
            var positions = rig.Ints([1, 2, 3]);
            var slots = rig.Ints([0, 127 + layer, 200]);
            rig.Run(side => side.Backend.RopeAppendKv(side[qkv], 2, 1, side[positions], side[cosine], side[sine], side[pool], layer,
                side[slots]));
        }

        foreach (int layer in new[] { 0, 1 })
        {
            var output = rig.Output(2, 32);
            rig.Run(side => side.Backend.Attention(side[queries], 2, side[pool], layer, plan, 1f, side[output]));
            rig.Compare($"Attention at layer {layer}", output, (_, _, _) => Tolerances.Attention(16, 128, 4, 4, 1)
                + Tolerances.RotatedKeys(DType.F32, 16, 128));
        }
    }

    [ConformanceFact]
    public void RopeAppendKv_refuses_wrong_shapes()
    {
        using var rig = NewRig();
        var b = rig.Actual;
        var (cosine, sine) = Angles(rig, 4, 8);
        Tensor cos = cosine.Actual, sin = sine.Actual, qkv = rig.Real(3, 64, new float[192]).Actual, ids = rig.Ints([0, 1, 2]).Actual;
        Tensor two = rig.Ints([0, 1]).Actual;
        var pool = rig.Pool(new KvShape(1, 1, 16, DType.F32), 1).Actual;
        var other = rig.Pool(new KvShape(1, 2, 16, DType.F32), 1).Actual;
        b.RopeAppendKv(qkv, 2, 1, ids, cos, sin, pool, 0, ids);
        Assert.ThrowsAny<ArgumentException>(() => b.RopeAppendKv(qkv, 3, 1, ids, cos, sin, pool, 0, ids));
        Assert.ThrowsAny<ArgumentException>(() => b.RopeAppendKv(qkv, 2, 1, two, cos, sin, pool, 0, ids));
        Assert.ThrowsAny<ArgumentException>(() => b.RopeAppendKv(qkv, 2, 1, ids, cos, sin, pool, 0, two));
        Assert.ThrowsAny<ArgumentException>(() => b.RopeAppendKv(qkv, 2, 1, ids, cos, sin, pool, 0, default));
        Assert.ThrowsAny<ArgumentException>(() => b.RopeAppendKv(qkv, 2, 1, ids, cos, rig.Output(4, 7).Actual, pool, 0, ids));
        Assert.ThrowsAny<ArgumentException>(() => b.RopeAppendKv(qkv, 2, 1, ids, cos, sin, other, 0, ids));
        Assert.ThrowsAny<ArgumentException>(() => b.RopeAppendKv(qkv, 2, 1, ids, cos, sin, pool, 1, ids));
        Assert.ThrowsAny<ArgumentException>(() => b.RopeAppendKv(rig.Output(3, 64, type: DType.BF16).Actual, 2, 1, ids, cos, sin, pool,
            0, ids));
    }

    // Writes every slot of the layer: what a pool holds before it is written is not said.
    private static void Fill(Rig rig, (KvPool Actual, KvPool Expected) pool, KvShape shape, int layer)
    {
        int half = shape.HeadDim / 2, tokens = pool.Expected.Pages * KvPool.PageTokens, width = 3 * shape.KeyValueHeads * shape.HeadDim;
        Twin cosine = rig.Real(1, half, [.. Enumerable.Repeat(1f, half)]), sine = rig.Real(1, half, new float[half]);
        var qkv = rig.Real(tokens, width, TestData.Uniform(layer + 40, tokens * width));
        var positions = rig.Ints(new int[tokens]);
        var slots = rig.Ints([.. Enumerable.Range(0, tokens)]);
        rig.Run(side => side.Backend.RopeAppendKv(side[qkv], shape.KeyValueHeads, shape.KeyValueHeads, side[positions], side[cosine],
            side[sine], side[pool], layer, side[slots]));
    }

    private static (Twin Cosine, Twin Sine) Angles(Rig rig, int positions, int half)
    {
        float[] cosine = new float[positions * half], sine = new float[positions * half];
        for (int i = 0; i < cosine.Length; i++)
        {
            double angle = i / half * Math.Pow(10_000, -(i % half) / (double)half);
            (cosine[i], sine[i]) = ((float)Math.Cos(angle), (float)Math.Sin(angle));
        }

        return (rig.Real(positions, half, cosine), rig.Real(positions, half, sine));
    }
}
