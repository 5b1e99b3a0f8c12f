using Farm.Core;

namespace Farm.Conformance;

public abstract partial class TrainingConformance
{
    public static IEnumerable<object[]> EmbeddingCases() =>
        from l in Pairwise.Cover(RowCounts.Length, Widths.Length, 4, 2)
        select new object[] { RowCounts[l[0]], Widths[l[1]], new[] { 1, 2, 33, 1000 }[l[2]], l[3] * 3 };

    [ConformanceTheory]
    [MemberData(nameof(EmbeddingCases))]
    public void EmbeddingBackward_matches_the_reference(int rows, int columns, int vocabulary, int pad)
    {
        using var rig = NewRig();

        // Half of the rows share the last id, so that some entries repeat often and most of a large table stay as they were.
        int[] ids = [.. TestData.Integers(rows + columns, rows, vocabulary).Select((id, t) => t % 2 == 0 ? id : vocabulary - 1)];
        float[] g = TestData.Normal(rows + 1, rows * columns), before = TestData.Normal(columns, vocabulary * columns);
        Twin index = rig.Ints(ids), gradient = rig.Real(rows, columns, g, pad), table = rig.Real(vocabulary, columns, before, pad);
        Run(rig, (ops, side) => ops.EmbeddingBackward(side[index], side[gradient], side[table]));
        double[] sums = Array.ConvertAll(before, x => (double)Math.Abs(x));
        var count = new int[vocabulary];
        for (int t = 0; t < rows; t++)
        {
            count[ids[t]]++;
            for (int i = 0; i < columns; i++)
            {
                sums[(ids[t] * columns) + i] += Math.Abs(g[(t * columns) + i]);
            }
        }

        rig.Compare("EmbeddingBackward", table, (row, column, _) =>
            count[row] == 0 ? Tolerances.Moved : Tolerances.Sum(count[row] + 1, sums[(row * columns) + column]));
    }

    [ConformanceFact]
    public void EmbeddingBackward_refuses_wrong_shapes()
    {
        using var rig = NewRig();
        var ops = Tested(rig);
        Tensor New(int rows, int columns, DType type = DType.F32) => rig.Real(rows, columns, new float[rows * columns], 0, type).Actual;
        Tensor ids = rig.Ints([0, 1, 0]).Actual;
        ops.EmbeddingBackward(ids, New(3, 8), New(2, 8));
        Assert.ThrowsAny<ArgumentException>(() => ops.EmbeddingBackward(ids, New(2, 8), New(2, 8)));
        Assert.ThrowsAny<ArgumentException>(() => ops.EmbeddingBackward(ids, New(3, 8), New(2, 7)));
        Assert.ThrowsAny<ArgumentException>(() => ops.EmbeddingBackward(ids, New(3, 8), New(2, 8, DType.BF16)));
        Assert.ThrowsAny<ArgumentException>(() => ops.EmbeddingBackward(New(1, 3), New(3, 8), New(2, 8)));
    }
}
