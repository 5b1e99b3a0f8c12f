using Farm.Core;

namespace Farm.Conformance;

public abstract partial class TrainingConformance
{
    private static readonly int[] Sides = [0, 1, 2, 7, 15, 16, 17, 33, 64, 65, 100, 130, 257];

    public static IEnumerable<object[]> MatMulCases() =>
        from l in Pairwise.Cover(Sides.Length, Sides.Length, Sides.Length, 2, 2, 2, 2, 2)
        select new object[] { Sides[l[0]], Sides[l[1]], Sides[l[2]], l[3] == 1, l[4] == 1, l[5] == 1, l[6] * 3, l[7] == 1 ? DType.BF16 : DType.F32 };

    /// <summary>Sizes at which blocks of any kernel are cut more than once, in all four orders.</summary>
    public static IEnumerable<object[]> LargeMatMulCases() =>
        from order in Enumerable.Range(0, 4)
        from sizes in new[] { (67, 515, 130), (300, 33, 1029), (5, 1025, 260) }
        select new object[] { sizes.Item1, sizes.Item2, sizes.Item3, order >= 2, order % 2 == 1, order == 2, 0, DType.F32 };

    [ConformanceTheory]
    [MemberData(nameof(MatMulCases))]
    [MemberData(nameof(LargeMatMulCases))]
    public void MatMul_matches_the_reference(int m, int n, int k, bool transposeA, bool transposeB, bool accumulate, int pad, DType type)
    {
        using var rig = NewRig();
        float[] left = TestData.Uniform((m * 7) + k, m * k), right = Stored(type, TestData.Uniform((n * 11) + k + 1, n * k));
        float[] before = TestData.Uniform(m + n, m * n, 3f);
        var a = rig.Real(transposeA ? k : m, transposeA ? m : k, left, pad);
        var b = rig.Real(transposeB ? n : k, transposeB ? k : n, right, pad == 0 ? 0 : pad + 2, type);
        var c = accumulate ? rig.Real(m, n, before, pad) : rig.Output(m, n, pad);
        Run(rig, (ops, side) => ops.MatMul(side[a], transposeA, side[b], transposeB, side[c], accumulate));
        double[] rows = LineNorms(left, m, k, !transposeA), columns = LineNorms(right, n, k, transposeB);
        rig.Compare($"MatMul {m}x{n}x{k}{(transposeA ? " a turned" : "")}{(transposeB ? " b turned" : "")}{(accumulate ? " accumulated" : "")}", c,
            (row, column, want) => Tolerances.Sum(k, rows[row] * columns[column])
                + (accumulate ? Tolerances.Added(want, 0, before[(row * n) + column]) : 0));
    }

    [ConformanceFact]
    public void An_empty_inner_dimension_gives_zero_and_keeps_what_accumulates()
    {
        using var rig = NewRig();
        float[] before = TestData.Uniform(1, 35);
        Twin a = rig.Real(5, 0, []), b = rig.Real(0, 7, []), fresh = rig.Output(5, 7), kept = rig.Real(5, 7, before);
        Tested(rig).MatMul(a.Actual, false, b.Actual, false, fresh.Actual);
        Tested(rig).MatMul(a.Actual, false, b.Actual, false, kept.Actual, true);
        Assert.All(rig.Got(fresh), x => Assert.Equal(0f, x));
        Assert.Equal(before, rig.Got(kept));
    }

    [ConformanceFact]
    public void MatMul_refuses_wrong_shapes()
    {
        using var rig = NewRig();
        var ops = Tested(rig);
        Tensor New(int rows, int columns, DType type = DType.F32) => rig.Real(rows, columns, new float[rows * columns], 0, type).Actual;
        Tensor a = New(3, 4), b = New(4, 5), c = New(3, 5);
        ops.MatMul(a, false, b, false, c);
        Assert.ThrowsAny<ArgumentException>(() => ops.MatMul(a, true, b, false, c));
        Assert.ThrowsAny<ArgumentException>(() => ops.MatMul(a, false, b, true, c));
        Assert.ThrowsAny<ArgumentException>(() => ops.MatMul(a, false, New(3, 5), false, c));
        Assert.ThrowsAny<ArgumentException>(() => ops.MatMul(a, false, b, false, New(4, 5)));
        Assert.ThrowsAny<ArgumentException>(() => ops.MatMul(a, false, b, false, New(3, 6)));
        Assert.ThrowsAny<ArgumentException>(() => ops.MatMul(a, false, b, false, default));
        Assert.ThrowsAny<ArgumentException>(() => ops.MatMul(New(3, 4, DType.BF16), false, b, false, c));
        Assert.ThrowsAny<ArgumentException>(() => ops.MatMul(a, false, b, false, New(3, 5, DType.BF16)));
        Assert.ThrowsAny<ArgumentException>(() => ops.MatMul(a, false, rig.Ints(4, 5, new int[20]).Actual, false, c));
    }

    // Norms of the lines along the inner dimension: rows of [count, inner], or columns of [inner, count].
    private static double[] LineNorms(float[] values, int count, int inner, bool rows)
    {
        var squares = new double[count];
        for (int i = 0; i < values.Length; i++)
        {
            squares[rows ? i / inner : i % count] += (double)values[i] * values[i];
        }

        return Array.ConvertAll(squares, Math.Sqrt);
    }
}
