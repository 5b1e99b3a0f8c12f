using Farm.Core;

namespace Farm.Conformance;

/// <summary>Biases, sums of rows and scaling.</summary>
public abstract partial class TrainingConformance
{
    public static IEnumerable<object[]> RowCases() =>
        from l in Pairwise.Cover(RowCounts.Length, Widths.Length, 2)
        select new object[] { RowCounts[l[0]], Widths[l[1]], l[2] * 3 };

    [ConformanceTheory]
    [MemberData(nameof(RowCases))]
    public void AddBias_and_SumRows_match_the_reference(int rows, int columns, int pad)
    {
        using var rig = NewRig();
        float[] offset = TestData.Uniform(columns, columns), values = TestData.Normal(rows + columns, rows * columns);
        Twin bias = rig.Real(1, columns, offset), output = rig.Real(rows, columns, values, pad);
        Twin input = rig.Real(rows, columns, values, pad), sum = rig.Real(1, columns, offset, pad);
        Run(rig, (ops, side) =>
        {
            ops.AddBias(side[bias], side[output]);
            ops.SumRows(side[input], side[sum]);
        });
        rig.Compare("AddBias", output, (row, column, want) => Tolerances.Added(want, 0, 0));
        rig.Compare("SumRows", sum, (_, column, _) => Tolerances.Sum(rows + 1,
            Math.Abs(offset[column]) + Enumerable.Range(0, rows).Sum(t => Math.Abs((double)values[(t * columns) + column]))));
    }

    [ConformanceTheory]
    [MemberData(nameof(RowCases))]
    public void Scale_matches_the_reference(int rows, int columns, int pad)
    {
        using var rig = NewRig();
        float[] values = TestData.Normal(rows + columns, rows * columns), before = TestData.Normal(rows + columns + 1, rows * columns);
        Twin source = rig.Real(rows, columns, values, pad), fresh = rig.Output(rows, columns, pad == 0 ? 2 : 0);
        Twin sum = rig.Real(rows, columns, before, pad), own = rig.Real(rows, columns, values, pad);
        Run(rig, (ops, side) =>
        {
            ops.Scale(side[source], -0.37f, side[fresh]);
            ops.Scale(side[source], 1.7f, side[sum], true);
            ops.Scale(side[own], 0.3f, side[own]);
        });
        rig.Compare("Scale", fresh, (_, _, want) => Tolerances.U * Math.Abs(want));
        rig.Compare("Scale accumulated", sum, (row, column, want) =>
            Tolerances.Added(want, 1.7 * values[(row * columns) + column], before[(row * columns) + column]));
        rig.Compare("Scale in place", own, (_, _, want) => Tolerances.U * Math.Abs(want));
    }

    [ConformanceFact]
    public void AddBias_SumRows_and_Scale_refuse_wrong_shapes()
    {
        using var rig = NewRig();
        var ops = Tested(rig);
        Tensor New(int rows, int columns, DType type = DType.F32) => rig.Real(rows, columns, new float[rows * columns], 0, type).Actual;
        Assert.ThrowsAny<ArgumentException>(() => ops.AddBias(New(1, 7), New(3, 8)));
        Assert.ThrowsAny<ArgumentException>(() => ops.AddBias(New(2, 8), New(3, 8)));
        Assert.ThrowsAny<ArgumentException>(() => ops.AddBias(New(1, 8), New(3, 8, DType.BF16)));
        Assert.ThrowsAny<ArgumentException>(() => ops.SumRows(New(3, 8), New(1, 9)));
        Assert.ThrowsAny<ArgumentException>(() => ops.SumRows(New(3, 8), New(3, 8)));
        Assert.ThrowsAny<ArgumentException>(() => ops.SumRows(New(3, 8), default));
        Assert.ThrowsAny<ArgumentException>(() => ops.Scale(New(3, 8), 1, New(3, 7)));
        Assert.ThrowsAny<ArgumentException>(() => ops.Scale(New(3, 8), 1, New(2, 8)));
        Assert.ThrowsAny<ArgumentException>(() => ops.Scale(New(3, 8, DType.BF16), 1, New(3, 8)));
    }
}
