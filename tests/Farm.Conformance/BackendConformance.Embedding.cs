using Farm.Core;

namespace Farm.Conformance;

public abstract partial class BackendConformance
{
    [ConformanceTheory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void Embedding_reads_rows_of_a_table(DType type)
    {
        foreach (int width in Widths)
        {
            foreach (int count in new[] { 0, 1, 7, 33 })
            {
                using var rig = NewRig();
                var table = rig.Real(37, width, TestData.Normal(width, 37 * width), type: type);
                var ids = rig.Ints(TestData.Integers(count + 1, count, 37));
                var output = rig.Output(count, width, pad: count % 2);
                rig.Run(side => side.Backend.Embedding(side[ids], side[table], side[output]));
                rig.CompareExactly($"Embedding {type.Name()} table", output);
            }
        }
    }

    [ConformanceTheory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    [InlineData(DType.I8)]
    public void Embedding_reads_rows_of_a_packed_weight(DType storage)
    {
        foreach (int width in Widths)
        {
            foreach (int vocabulary in new[] { 1, 5, 16, 37, 130 })
            {
                using var rig = NewRig();
                var source = Source("tied", vocabulary, width, DType.F32, storage, width);
                var weight = rig.Pack([source], storage);
                var ids = rig.Ints([.. Enumerable.Range(0, vocabulary).Reverse()]);
                var output = rig.Output(vocabulary, width);
                rig.Run(side => side.Backend.Embedding(side[ids], side[weight], side[output]));
                rig.Compare($"Embedding from packed {storage.Name()}", output, (_, _, _) => Tolerances.Moved);
            }
        }
    }

    [ConformanceFact]
    public void Embedding_refuses_wrong_shapes()
    {
        using var rig = NewRig();
        var b = rig.Actual;
        Tensor table = rig.Output(9, 4).Actual, ids = rig.Ints([0, 1]).Actual, output = rig.Output(2, 4).Actual;
        var weight = rig.Pack([Source("w", 9, 4, DType.F32, DType.F32, 1)], DType.F32).Actual;
        var gateUp = rig.Pack([Source("g", 9, 4, DType.F32, DType.F32, 1), Source("u", 9, 4, DType.F32, DType.F32, 2)],
            DType.F32, LinearLayout.GateUp).Actual;
        Assert.ThrowsAny<ArgumentException>(() => b.Embedding(ids, table, rig.Output(3, 4).Actual));
        Assert.ThrowsAny<ArgumentException>(() => b.Embedding(ids, table, rig.Output(2, 5).Actual));
        Assert.ThrowsAny<ArgumentException>(() => b.Embedding(output, table, output));
        Assert.ThrowsAny<ArgumentException>(() => b.Embedding(ids, ids, output));
        Assert.ThrowsAny<ArgumentException>(() => b.Embedding(ids, weight, rig.Output(3, 4).Actual));
        Assert.ThrowsAny<ArgumentException>(() => b.Embedding(ids, weight, rig.Output(2, 5).Actual));
        Assert.ThrowsAny<ArgumentException>(() => b.Embedding(ids, gateUp, output));
    }

    // A weight of variance about 1 / columns, so that products stay of the order of one; I8 data keeps off the midpoints.
    internal static ArraySource Source(string name, int rows, int columns, DType type, DType storage, int seed)
    {
        var source = new ArraySource(name, rows, columns, type,
            TestData.Uniform(seed, rows * columns, MathF.Sqrt(3f / Math.Max(columns, 1))));
        if (storage == DType.I8)
        {
            Int8Margins.Clear(source.Values, columns, type);
        }

        return source;
    }
}
