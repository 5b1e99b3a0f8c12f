using Farm.Core;

namespace Farm.Conformance;

public abstract partial class BackendConformance
{
    public static IEnumerable<object[]> RmsNormCases() =>
        from levels in Pairwise.Cover(RowCounts.Length, Widths.Length, 2, 3)
        select new object[] { RowCounts[levels[0]], Widths[levels[1]], levels[2] * 3, new[] { 1e-6f, 1e-5f, 0.5f }[levels[3]] };

    [ConformanceTheory]
    [MemberData(nameof(RmsNormCases))]
    public void RmsNorm_matches_the_reference(int rows, int columns, int pad, float epsilon)
    {
        using var rig = NewRig();
        var input = rig.Real(rows, columns, TestData.Normal(rows + columns, rows * columns, 2f), pad);
        var weight = rig.Real(1, columns, TestData.Uniform(columns, columns, 2f));
        var output = rig.Output(rows, columns, pad);
        rig.Run(side => side.Backend.RmsNorm(side[input], side[weight], epsilon, side[output]));
        rig.Compare("RmsNorm", output, (_, _, want) => Tolerances.RmsNorm(columns, want));
    }

    [ConformanceFact]
    public void RmsNorm_of_zeros_tiny_and_large_rows_stays_finite()
    {
        using var rig = NewRig();
        float[] values = [.. new float[100], .. TestData.Normal(1, 100, 1e-15f), .. TestData.Normal(2, 100, 1e15f)];
        var input = rig.Real(3, 100, values);
        var weight = rig.Real(1, 100, TestData.Uniform(3, 100));
        var output = rig.Output(3, 100);
        rig.Run(side => side.Backend.RmsNorm(side[input], side[weight], 1e-6f, side[output]));
        rig.Compare("RmsNorm", output, (_, _, want) => Tolerances.RmsNorm(100, want));
        Assert.All(rig.Got(output), x => Assert.True(float.IsFinite(x)));
    }

    [ConformanceFact]
    public void RmsNorm_refuses_wrong_shapes()
    {
        using var rig = NewRig();
        var b = rig.Actual;
        Tensor input = rig.Output(2, 8).Actual, weight = rig.Output(1, 8).Actual, output = rig.Output(2, 8).Actual;
        Assert.ThrowsAny<ArgumentException>(() => b.RmsNorm(input, rig.Output(1, 7).Actual, 1e-6f, output));
        Assert.ThrowsAny<ArgumentException>(() => b.RmsNorm(input, weight, 1e-6f, rig.Output(3, 8).Actual));
        Assert.ThrowsAny<ArgumentException>(() => b.RmsNorm(input, weight, 1e-6f, rig.Output(2, 9).Actual));
        Assert.ThrowsAny<ArgumentException>(() => b.RmsNorm(input, default, 1e-6f, output));
        Assert.ThrowsAny<ArgumentException>(() => b.RmsNorm(rig.Output(2, 8, type: DType.BF16).Actual, weight, 1e-6f, output));
    }
}
