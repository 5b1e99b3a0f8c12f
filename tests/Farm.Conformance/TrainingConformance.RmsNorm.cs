using Farm.Core;

namespace Farm.Conformance;

public abstract partial class TrainingConformance
{
    public static IEnumerable<object[]> RmsNormCases() =>
        from l in Pairwise.Cover(RowCounts.Length, Widths.Length, 2, 2, 2)
        select new object[] { RowCounts[l[0]], Widths[l[1]], l[2] * 3, l[3] == 1, l[4] == 1 ? 0.5f : 1e-6f };

    [ConformanceTheory]
    [MemberData(nameof(RmsNormCases))]
    public void RmsNormBackward_matches_the_reference(int rows, int columns, int pad, bool withWeight, float epsilon)
    {
        using var rig = NewRig();
        int seed = (rows * 13) + columns, count = rows * columns;
        float[] x = TestData.Normal(seed, count, 2f), w = TestData.Uniform(seed + 1, columns, 2f), g = TestData.Normal(seed + 2, count);
        float[] beforeX = TestData.Normal(seed + 3, count), beforeW = TestData.Normal(seed + 4, columns);
        Twin input = rig.Real(rows, columns, x, pad), weight = rig.Real(1, columns, w), gradient = rig.Real(rows, columns, g, pad);
        Twin inputGradient = rig.Real(rows, columns, beforeX, pad), weightGradient = rig.Real(1, columns, beforeW, pad);
        Run(rig, (ops, side) => ops.RmsNormBackward(side[input], side[weight], epsilon, side[gradient], side[inputGradient],
            withWeight ? side[weightGradient] : default));

        double[] factor = new double[rows], mean = new double[rows], sums = Array.ConvertAll(beforeW, v => (double)Math.Abs(v));
        for (int i = 0; i < count; i++)
        {
            factor[i / columns] += (double)x[i] * x[i] / columns;
            mean[i / columns] += Math.Abs((double)g[i] * w[i % columns] * x[i]) / columns;
        }

        factor = Array.ConvertAll(factor, squares => 1 / Math.Sqrt(squares + epsilon));
        for (int i = 0; i < count; i++)
        {
            sums[i % columns] += Math.Abs(g[i] * x[i] * factor[i / columns]);
        }

        rig.Compare("RmsNormBackward, input", inputGradient, (row, column, want) =>
        {
            int i = (row * columns) + column;
            double r = factor[row];
            double magnitude = r * (Math.Abs((double)g[i] * w[column]) + (Math.Abs(x[i]) * r * r * mean[row]));
            return Tolerances.RmsNormBackward(columns, magnitude) + Tolerances.Added(want, 0, beforeX[i]);
        });
        rig.Compare("RmsNormBackward, weight", weightGradient, (_, column, _) =>
            withWeight ? Tolerances.RmsNormWeight(rows, columns, sums[column]) : 0);
    }

    [ConformanceFact]
    public void RmsNormBackward_of_rows_of_zeros_and_tiny_and_large_values_stays_finite()
    {
        using var rig = NewRig();
        const int Columns = 100;
        float[] values = [.. new float[Columns], .. TestData.Normal(1, Columns, 1e-15f), .. TestData.Normal(2, Columns, 1e8f)];
        Twin input = rig.Real(3, Columns, values), weight = rig.Real(1, Columns, TestData.Uniform(3, Columns));
        Twin gradient = rig.Real(3, Columns, TestData.Normal(4, 3 * Columns));
        Twin inputGradient = rig.Real(3, Columns, new float[3 * Columns]), weightGradient = rig.Real(1, Columns, new float[Columns]);
        Run(rig, (ops, side) => ops.RmsNormBackward(side[input], side[weight], 1e-6f, side[gradient], side[inputGradient],
            side[weightGradient]));

        // r is 1000 where a row vanishes beside epsilon, and 1e-8 where it is large; both terms of the gradient are at most r |g| |w| wide.
        double[] scale = [1e3, 1e3, 2e-8];
        rig.Compare("RmsNormBackward", inputGradient, (row, _, _) => Tolerances.RmsNormBackward(Columns, scale[row] * 4 * 4));
        Assert.All(rig.Got(inputGradient).Concat(rig.Got(weightGradient)), x => Assert.True(float.IsFinite(x)));
    }

    [ConformanceFact]
    public void RmsNormBackward_refuses_wrong_shapes()
    {
        using var rig = NewRig();
        var ops = Tested(rig);
        Tensor New(int rows, int columns, DType type = DType.F32) => rig.Real(rows, columns, new float[rows * columns], 0, type).Actual;
        Tensor x = New(3, 8), w = New(1, 8), g = New(3, 8), dx = New(3, 8), dw = New(1, 8);
        ops.RmsNormBackward(x, w, 1e-6f, g, dx, dw);
        Assert.ThrowsAny<ArgumentException>(() => ops.RmsNormBackward(x, New(1, 7), 1e-6f, g, dx, dw));
        Assert.ThrowsAny<ArgumentException>(() => ops.RmsNormBackward(x, w, 1e-6f, New(3, 7), dx, dw));
        Assert.ThrowsAny<ArgumentException>(() => ops.RmsNormBackward(x, w, 1e-6f, g, New(2, 8), dw));
        Assert.ThrowsAny<ArgumentException>(() => ops.RmsNormBackward(x, w, 1e-6f, g, default, dw));
        Assert.ThrowsAny<ArgumentException>(() => ops.RmsNormBackward(x, w, 1e-6f, g, dx, New(3, 8)));
        Assert.ThrowsAny<ArgumentException>(() => ops.RmsNormBackward(x, New(1, 8, DType.BF16), 1e-6f, g, dx, dw));
    }
}
