using Farm.Core;

namespace Farm.Conformance;

public abstract partial class TrainingConformance
{
    public static IEnumerable<object[]> RopeCases() =>
        from l in Pairwise.Cover(RowCounts.Length, HeadDims.Length, 3, 2)
        select new object[] { RowCounts[l[0]], HeadDims[l[1]], l[2] + 1, l[3] * 3 };

    [ConformanceTheory]
    [MemberData(nameof(RopeCases))]
    public void RopeBackward_matches_the_reference(int rows, int headDim, int ratio, int pad)
    {
        const int KvHeads = 2, Positions = 50;
        using var rig = NewRig();
        int width = ((ratio * KvHeads) + (2 * KvHeads)) * headDim, half = headDim / 2;
        float[] angles = TestData.Uniform(headDim, Positions * half, 7f);
        Twin cosine = rig.Real(Positions, half, Array.ConvertAll(angles, MathF.Cos)), sine = rig.Real(Positions, half, Array.ConvertAll(angles, MathF.Sin));
        var positions = rig.Ints(TestData.Integers(rows, rows, Positions));
        float[] g = TestData.Uniform(rows + headDim, rows * width);
        var gradient = rig.Real(rows, width, g, pad);
        Run(rig, (ops, side) => ops.RopeBackward(side[gradient], ratio * KvHeads, KvHeads, side[positions], side[cosine], side[sine]));
        rig.Compare("RopeBackward", gradient, (_, column, _) => column < width - (KvHeads * headDim) ? Tolerances.Rope(1) : 0);
    }

    [ConformanceFact]
    public void RopeBackward_undoes_the_rotation()
    {
        const int Heads = 4, KvHeads = 2, HeadDim = 24, T = 33, Width = (Heads + (2 * KvHeads)) * HeadDim;
        using var rig = NewRig();
        float[] angles = TestData.Uniform(1, T * HeadDim / 2, 7f), x = TestData.Uniform(2, T * Width);
        Twin cosine = rig.Real(T, HeadDim / 2, Array.ConvertAll(angles, MathF.Cos)), sine = rig.Real(T, HeadDim / 2, Array.ConvertAll(angles, MathF.Sin));
        Twin positions = rig.Ints(TestData.Permutation(3, T)), qkv = rig.Real(T, Width, x);
        var ops = Tested(rig);
        ops.RopeAppendKv(qkv.Actual, Heads, KvHeads, positions.Actual, cosine.Actual, sine.Actual, null, 0, default);
        Assert.NotEqual(x, rig.Got(qkv));
        ops.RopeBackward(qkv.Actual, Heads, KvHeads, positions.Actual, cosine.Actual, sine.Actual);
        float[] got = rig.Got(qkv);
        for (int i = 0; i < x.Length; i++)
        {
            // There and back, and cos^2 + sin^2 of rounded numbers.
            Assert.InRange(Math.Abs(got[i] - x[i]), 0, 3 * Tolerances.Rope(1));
        }
    }

    [ConformanceFact]
    public void RopeBackward_refuses_wrong_shapes()
    {
        using var rig = NewRig();
        var ops = Tested(rig);
        Tensor New(int rows, int columns) => rig.Real(rows, columns, new float[rows * columns]).Actual;
        Tensor g = New(3, 32), cosine = New(5, 4), positions = rig.Ints([0, 1, 2]).Actual;
        ops.RopeBackward(g, 2, 1, positions, cosine, New(5, 4));
        Assert.ThrowsAny<ArgumentException>(() => ops.RopeBackward(g, 3, 1, positions, cosine, New(5, 4)));
        Assert.ThrowsAny<ArgumentException>(() => ops.RopeBackward(g, 2, 1, positions, cosine, New(5, 3)));
        Assert.ThrowsAny<ArgumentException>(() => ops.RopeBackward(g, 2, 1, rig.Ints([0, 1]).Actual, cosine, New(5, 4)));
        Assert.ThrowsAny<ArgumentException>(() => ops.RopeBackward(default, 2, 1, positions, cosine, New(5, 4)));
    }
}
