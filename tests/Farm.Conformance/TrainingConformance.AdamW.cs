using Farm.Core;

namespace Farm.Conformance;

/// <summary>The optimiser and the norm it clips by.</summary>
public abstract partial class TrainingConformance
{
    public static IEnumerable<object[]> AdamWCases() =>
        from l in Pairwise.Cover(10, 3, 2, 3)
        let count = new[] { 1, 2, 7, 15, 16, 17, 64, 257, 1000, 4099 }[l[0]]
        select new object[] { count, new[] { 1, 2, 1000 }[l[1]], l[2] == 0 ? 0f : 0.1f, new[] { 1f, 0.125f, 0.3f }[l[3]] };

    [ConformanceTheory]
    [MemberData(nameof(AdamWCases))]
    public void AdamW_matches_the_reference_over_several_steps(int count, int firstStep, float decay, float gradientScale)
    {
        const int Steps = 5;
        const float LearningRate = 0.02f, Epsilon = 1e-6f;
        using var rig = NewRig();
        float[] start = TestData.Normal(count, count), m0 = firstStep == 1 ? new float[count] : TestData.Normal(count + 1, count, 0.1f);
        float[] v0 = firstStep == 1 ? new float[count] : Array.ConvertAll(TestData.Uniform(count + 2, count), x => 0.01f + (x * x));
        Twin parameter = rig.Real(1, count, start), m = rig.Real(1, count, m0), v = rig.Real(1, count, v0);
        double least = double.PositiveInfinity, moment = Largest(m0), size = Largest(start);
        for (int i = 1; i <= Steps; i++)
        {
            // No gradient near zero: where the second moment vanishes the direction has no definite error.
            float[] g = Array.ConvertAll(TestData.Uniform(count + (10 * i), count), x => x + MathF.CopySign(0.25f, x));
            var gradient = rig.Real(1, count, g);
            var step = new AdamWStep(firstStep + i - 1, LearningRate, 0.9f, 0.999f, Epsilon, decay, gradientScale);
            Run(rig, (ops, side) => ops.AdamW(side[parameter], side[gradient], side[m], side[v], step));
            Assert.Equal(g, rig.Got(gradient));

            moment = Math.Max(moment, Largest(g) * gradientScale);
            size = Math.Max(size, Largest(rig.Want(parameter)));
            double correction1 = 1 - Math.Pow(0.9, step.Step), correction2 = 1 - Math.Pow(0.999f, step.Step);
            least = Math.Min(least, correction1 * (Math.Sqrt(rig.Want(v).Min() / correction2) + Epsilon));
            int steps = i;
            rig.Compare($"AdamW, step {step.Step}, first moment", m, (_, _, _) => Tolerances.FirstMoment(steps, moment));
            rig.Compare($"AdamW, step {step.Step}, second moment", v, (_, _, want) => Tolerances.SecondMoment(steps, want));
            rig.Compare($"AdamW, step {step.Step}, parameter", parameter, (_, _, _) =>
                Tolerances.Parameter(steps, size, LearningRate, moment, least));
        }
    }

    [ConformanceFact]
    public void AdamW_with_no_gradient_only_decays()
    {
        using var rig = NewRig();
        float[] start = TestData.Normal(1, 37);
        Twin parameter = rig.Real(1, 37, start), zero = rig.Real(1, 37, new float[37]), m = rig.Real(1, 37, new float[37]), v = rig.Real(1, 37, new float[37]);
        Tested(rig).AdamW(parameter.Actual, zero.Actual, m.Actual, v.Actual, new AdamWStep(1, 0.5f, 0.9f, 0.95f, 1e-8f, 0.25f, 1f));
        float[] got = rig.Got(parameter);
        Assert.All(start.Zip(got), pair => Assert.InRange(Math.Abs((pair.First * 0.875) - pair.Second), 0, 2 * Tolerances.U * Math.Abs(pair.First)));
        Assert.All(rig.Got(m).Concat(rig.Got(v)), x => Assert.Equal(0f, x));
    }

    [ConformanceFact]
    public void AdamW_refuses_wrong_shapes()
    {
        using var rig = NewRig();
        var ops = Tested(rig);
        Tensor New(int rows, int columns, DType type = DType.F32) => rig.Real(rows, columns, new float[rows * columns], 0, type).Actual;
        var step = new AdamWStep(1, 0.1f, 0.9f, 0.999f, 1e-8f, 0, 1);
        Tensor p = New(2, 8);
        Assert.ThrowsAny<ArgumentException>(() => ops.AdamW(p, New(2, 7), New(2, 8), New(2, 8), step));
        Assert.ThrowsAny<ArgumentException>(() => ops.AdamW(p, New(2, 8), New(1, 8), New(2, 8), step));
        Assert.ThrowsAny<ArgumentException>(() => ops.AdamW(p, New(2, 8), New(2, 8), default, step));
        Assert.ThrowsAny<ArgumentException>(() => ops.AdamW(p, New(2, 8, DType.BF16), New(2, 8), New(2, 8), step));
        Assert.ThrowsAny<ArgumentException>(() => ops.AdamW(New(2, 16).SliceColumns(0, 8), New(2, 8), New(2, 8), New(2, 8), step));
    }

    [ConformanceTheory]
    [InlineData(1, 1)]
    [InlineData(1, 7)]
    [InlineData(3, 16)]
    [InlineData(17, 65)]
    [InlineData(130, 257)]
    [InlineData(1, 100_003)]
    public void SumOfSquares_is_taken_in_float64(int rows, int columns)
    {
        using var rig = NewRig();
        var x = rig.Real(rows, columns, TestData.Normal(rows + columns, rows * columns));
        double want = ((ITrainingBackend)rig.Expected).SumOfSquares(x.Expected);
        Assert.InRange(Math.Abs(Tested(rig).SumOfSquares(x.Actual) - want), 0, Tolerances.SumOfSquares((long)rows * columns, want));
    }

    [ConformanceTheory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void SumOfSquares_is_not_finite_where_an_element_is_not(float bad)
    {
        foreach (int count in new[] { 1, 17, 1000 })
        {
            foreach (int at in new[] { 0, count / 2, count - 1 })
            {
                using var rig = NewRig();
                float[] values = TestData.Normal(count, count);
                values[at] = bad;
                double sum = Tested(rig).SumOfSquares(rig.Real(1, count, values).Actual);
                Assert.True(float.IsNaN(bad) ? double.IsNaN(sum) : double.IsPositiveInfinity(sum), $"{bad} at {at} of {count} gives {sum}");
            }
        }
    }

    [ConformanceFact]
    public void SumOfSquares_of_large_and_tiny_values_neither_overflows_nor_vanishes()
    {
        using var rig = NewRig();
        Assert.Equal(0, Tested(rig).SumOfSquares(rig.Real(0, 5, []).Actual));
        float[] values = [.. Enumerable.Repeat(1e30f, 33)];
        double one = 1e30f;
        Assert.Equal(33 * one * one, Tested(rig).SumOfSquares(rig.Real(3, 11, values).Actual), 33 * one * one * 1e-13);
        double tiny = Tested(rig).SumOfSquares(rig.Real(1, 3, [1e-30f, 1e-30f, 0]).Actual);
        Assert.InRange(tiny, 1.9999e-60, 2.0001e-60);
    }

    [ConformanceFact]
    public void SumOfSquares_refuses_wrong_shapes()
    {
        using var rig = NewRig();
        var x = rig.Real(3, 8, new float[24]).Actual;
        Assert.ThrowsAny<ArgumentException>(() => Tested(rig).SumOfSquares(x.SliceColumns(0, 5)));
        Assert.ThrowsAny<ArgumentException>(() => Tested(rig).SumOfSquares(rig.Real(3, 8, new float[24], 0, DType.BF16).Actual));
    }
}
