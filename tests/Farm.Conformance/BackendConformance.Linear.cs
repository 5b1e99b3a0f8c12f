using Farm.Core;

namespace Farm.Conformance;

public abstract partial class BackendConformance
{
    private static readonly int[] OutputWidths = [1, 2, 7, 16, 31, 48, 63, 64, 65, 100, 192, 257, 1000];

    public static IEnumerable<object[]> LinearCases() => LinearCase.Cover(RowCounts, Widths, OutputWidths).Select(c => new object[] { c });

    /// <summary>Batches of every size around the register tile, at a width that all storages share.</summary>
    public static IEnumerable<object[]> LinearBatchCases() =>
        from storage in new[] { DType.F32, DType.BF16, DType.I8 }
        from rows in Enumerable.Range(1, 40)
        select new object[] { new LinearCase(rows, 96 + (rows % 5), 40 + (rows % 7), storage, DType.F32, PartSplit.Whole, true, false,
            false, 0) };

    /// <summary>Batches that need more than one block of rows, not full, with features that fill no group and rows at any distance.</summary>
    public static IEnumerable<object[]> LinearManyRowsCases() =>
        from storage in new[] { DType.F32, DType.BF16, DType.I8 }
        from shape in new (int Rows, int Inner)[] { (65, 130), (127, 64), (129, 333), (200, 100) }
        from variant in new (PartSplit Split, bool Bias, bool Added, bool Norm, int Pad)[]
        {
            (PartSplit.Whole, true, false, true, 3), (PartSplit.Odd, false, true, false, 3), (PartSplit.GateUp, false, false, true, 0), (PartSplit.Whole, true, true, false, 0),
        }
        select new object[] { new LinearCase(shape.Rows, shape.Inner, 139, storage, DType.F32, variant.Split, variant.Bias, variant.Added, variant.Norm, variant.Pad) };

    [ConformanceTheory]
    [MemberData(nameof(LinearCases))]
    public void Linear_matches_the_reference(LinearCase c)
    {
        ArgumentNullException.ThrowIfNull(c);
        using var rig = NewRig();
        c.Check(rig);
    }

    [ConformanceTheory]
    [MemberData(nameof(LinearBatchCases))]
    public void Linear_matches_the_reference_at_every_batch_size(LinearCase c)
    {
        ArgumentNullException.ThrowIfNull(c);
        using var rig = NewRig();
        c.Check(rig);
    }

    [ConformanceTheory]
    [MemberData(nameof(LinearManyRowsCases))]
    public void Linear_matches_the_reference_among_many_rows(LinearCase c)
    {
        ArgumentNullException.ThrowIfNull(c);
        using var rig = NewRig();
        c.Check(rig);
    }

    [ConformanceTheory]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(1000)]
    public void Integer_products_of_the_largest_levels_neither_saturate_nor_wrap(int features)
    {
        float[] signs = [.. TestData.Uniform(features, 33 * features).Select(x => x < 0 ? -1f : 1f)];
        float[] weights = [.. Enumerable.Repeat(1f, features), .. Enumerable.Repeat(-1f, features), .. signs[..(31 * features)]];
        float[] inputs = [.. Enumerable.Repeat(1f, features), .. Enumerable.Repeat(-1f, features), .. signs[features..(4 * features)]];
        using var rig = NewRig();
        var weight = rig.Pack([new ArraySource("extreme", 33, features, DType.F32, weights)], DType.I8);
        var input = rig.Real(5, features, inputs);
        var output = rig.Output(5, 33);
        rig.Run(side => side.Backend.Linear(side[input], side[weight], side[output]));
        rig.Compare($"Linear int8 extremes over {features}", output,
            (_, _, _) => Tolerances.Dot(DType.I8, features, Math.Sqrt(features), Math.Sqrt(features), false));
    }

    [ConformanceFact]
    public void Exact_midpoints_of_int8_round_to_even()
    {
        // The largest value 127 makes the scale exactly 1, for weights and for activations.
        float[] row = [127f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 126.5f, -126.5f, 3f];
        float[] rounded = [127f, 0f, 2f, 2f, -0f, -2f, -2f, 126f, -126f, 3f];
        using var rig = NewRig();
        var weight = rig.Pack([new ArraySource("midpoints", 1, row.Length, DType.F32, (float[])row.Clone())], DType.I8).Actual;
        var stored = rig.Output(1, row.Length);
        rig.Actual.Embedding(rig.Ints([0]).Actual, weight, stored.Actual);
        Assert.Equal(rounded, rig.Got(stored));

        // Row i of the identity picks activation i; the identity's scales are 1 / 127 and its levels 127.
        var identity = new float[row.Length * row.Length];
        for (int i = 0; i < row.Length; i++)
        {
            identity[(i * row.Length) + i] = 127f;
        }

        var pick = rig.Pack([new ArraySource("identity", row.Length, row.Length, DType.F32, identity)], DType.I8).Actual;
        var output = rig.Output(1, row.Length);
        rig.Actual.Linear(rig.Real(1, row.Length, row).Actual, pick, output.Actual);
        Assert.Equal(rounded, rig.Got(output).Select(y => y / 127f).ToArray());
    }

    [ConformanceFact]
    public void Groups_of_zeros_in_int8_give_zeros()
    {
        using var rig = NewRig();
        float[] values = TestData.Uniform(1, 4 * 130);
        Array.Clear(values, 0, 64);
        Array.Clear(values, 130, 130);
        Int8Margins.Clear(values, 130);
        float[] inputs = Int8Margins.Clear(TestData.Uniform(2, 3 * 130), 130);
        Array.Clear(inputs, 64, 64);
        Array.Clear(inputs, 130, 130);
        var weight = rig.Pack([new ArraySource("holes", 4, 130, DType.F32, values)], DType.I8);
        var input = rig.Real(3, 130, inputs);
        var output = rig.Output(3, 4);
        rig.Run(side => side.Backend.Linear(side[input], side[weight], side[output]));
        rig.Compare("Linear int8 with empty groups", output, (_, _, _) => Tolerances.Dot(DType.I8, 130, 12, 12, false));
        Assert.All(rig.Got(output).AsSpan(4, 4).ToArray(), y => Assert.Equal(0f, y));
        Assert.Equal(0f, rig.Got(output)[1]);
    }

    [ConformanceTheory]
    [InlineData(DType.F32, float.NaN)]
    [InlineData(DType.BF16, float.PositiveInfinity)]
    [InlineData(DType.I8, float.NaN)]
    [InlineData(DType.I8, float.NegativeInfinity)]
    public void PackLinear_names_the_part_and_row_of_a_value_that_is_not_finite(DType storage, float bad)
    {
        foreach (var type in new[] { DType.F32, DType.BF16, DType.F16 })
        {
            foreach (int column in new[] { 0, 18, 69 })
            {
                using var backend = CreateBackend();
                float[] values = TestData.Uniform(1, 20 * 70);
                values[(13 * 70) + column] = bad;
                var broken = new ArraySource("model.broken.weight", 20, 70, type, values);
                IRowSource[] parts = [Source("model.sound.weight", 5, 70, type, storage, 3), broken];
                var error = Assert.Throws<BadInputException>(() => backend.PackLinear(parts, storage));
                Assert.Contains("model.broken.weight", error.Message, StringComparison.Ordinal);
                Assert.Matches(@"\b13\b", error.Message);
                Assert.DoesNotContain("model.sound", error.Message, StringComparison.Ordinal);
            }
        }
    }

    [ConformanceFact]
    public void PackLinear_refuses_parts_that_do_not_fit_together()
    {
        using var b = CreateBackend();
        ArraySource wide = Source("wide", 3, 8, DType.F32, DType.F32, 1), narrow = Source("narrow", 3, 7, DType.F32, DType.F32, 2);
        var tall = Source("tall", 4, 8, DType.F32, DType.F32, 3);
        Assert.ThrowsAny<ArgumentException>(() => b.PackLinear([], DType.F32));
        Assert.ThrowsAny<ArgumentException>(() => b.PackLinear([wide, narrow], DType.F32));
        Assert.ThrowsAny<ArgumentException>(() => b.PackLinear([wide], DType.F32, LinearLayout.GateUp));
        Assert.ThrowsAny<ArgumentException>(() => b.PackLinear([wide, tall], DType.F32, LinearLayout.GateUp));
        Assert.ThrowsAny<ArgumentException>(() => b.PackLinear([wide, wide, wide], DType.F32, LinearLayout.GateUp));
        Assert.ThrowsAny<ArgumentException>(() => b.PackLinear([wide], DType.F16));
        Assert.ThrowsAny<ArgumentException>(() => b.PackLinear([wide], DType.I32));
    }

    [ConformanceFact]
    public void Linear_refuses_wrong_shapes()
    {
        using var rig = NewRig();
        var b = rig.Actual;
        var weight = rig.Pack([Source("w", 5, 8, DType.F32, DType.F32, 1)], DType.F32).Actual;
        var gateUp = rig.Pack([Source("g", 5, 8, DType.F32, DType.F32, 1), Source("u", 5, 8, DType.F32, DType.F32, 2)],
            DType.F32, LinearLayout.GateUp).Actual;
        Tensor input = rig.Real(3, 8, new float[24]).Actual, output = rig.Real(3, 5, new float[15]).Actual;
        Tensor bias = rig.Real(1, 5, new float[5]).Actual, norm = rig.Real(1, 8, new float[8]).Actual;
        b.Linear(input, weight, output, bias, true, norm, 1e-5f);
        Assert.ThrowsAny<ArgumentException>(() => b.Linear(rig.Output(3, 7).Actual, weight, output));
        Assert.ThrowsAny<ArgumentException>(() => b.Linear(input, weight, rig.Output(2, 5).Actual));
        Assert.ThrowsAny<ArgumentException>(() => b.Linear(input, weight, rig.Output(3, 6).Actual));
        Assert.ThrowsAny<ArgumentException>(() => b.Linear(input, weight, default));
        Assert.ThrowsAny<ArgumentException>(() => b.Linear(rig.Output(3, 8, type: DType.BF16).Actual, weight, output));
        Assert.ThrowsAny<ArgumentException>(() => b.Linear(input, weight, output, norm));
        Assert.ThrowsAny<ArgumentException>(() => b.Linear(input, weight, output, default, false, bias, 1e-5f));
        Assert.ThrowsAny<ArgumentException>(() => b.Linear(input, gateUp, output, bias));
        Assert.ThrowsAny<ArgumentException>(() => b.Linear(input, gateUp, output, default, true));
    }
}
