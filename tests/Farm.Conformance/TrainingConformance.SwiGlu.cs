using Farm.Core;

namespace Farm.Conformance;

public abstract partial class TrainingConformance
{
    [ConformanceTheory]
    [MemberData(nameof(RowCases))]
    public void SwiGlu_and_its_backward_match_the_reference(int rows, int columns, int pad)
    {
        int count = rows * columns;
        CheckSwiGlu(rows, columns, pad, TestData.Normal(count + 1, 2 * count, 3f), TestData.Normal(count + 2, count));
    }

    [ConformanceFact]
    public void SwiGlu_of_extreme_gates_stays_finite_and_right()
    {
        float[] gates = [0, -0f, 1e-30f, -1e-30f, 20, -20, 60, -60, 88, -88, 100, -100, 1000, -1000, 1e30f, -1e30f, -1.2784645f];
        float[] values = [.. gates, .. TestData.Uniform(1, gates.Length)];
        CheckSwiGlu(1, gates.Length, 0, values, TestData.Uniform(2, gates.Length));
    }

    [ConformanceFact]
    public void SwiGlu_refuses_wrong_shapes()
    {
        using var rig = NewRig();
        var ops = Tested(rig);
        Tensor New(int rows, int columns, DType type = DType.F32) => rig.Real(rows, columns, new float[rows * columns], 0, type).Actual;
        Assert.ThrowsAny<ArgumentException>(() => ops.SwiGlu(New(3, 8), New(3, 8)));
        Assert.ThrowsAny<ArgumentException>(() => ops.SwiGlu(New(3, 8), New(2, 4)));
        Assert.ThrowsAny<ArgumentException>(() => ops.SwiGlu(New(3, 8, DType.BF16), New(3, 4)));
        Assert.ThrowsAny<ArgumentException>(() => ops.SwiGluBackward(New(3, 8), New(3, 8), New(3, 8)));
        Assert.ThrowsAny<ArgumentException>(() => ops.SwiGluBackward(New(3, 8), New(3, 4), New(3, 4)));
        Assert.ThrowsAny<ArgumentException>(() => ops.SwiGluBackward(New(3, 8), New(3, 4), default));
    }

    private void CheckSwiGlu(int rows, int columns, int pad, float[] values, float[] g)
    {
        using var rig = NewRig();
        Twin gateUp = rig.Real(rows, 2 * columns, values, pad), gradient = rig.Real(rows, columns, g, pad);
        Twin output = rig.Output(rows, columns, pad), apart = rig.Output(rows, 2 * columns, pad), own = rig.Real(rows, 2 * columns, values, pad);
        Run(rig, (ops, side) =>
        {
            ops.SwiGlu(side[gateUp], side[output]);
            ops.SwiGluBackward(side[gateUp], side[gradient], side[apart]);
            ops.SwiGluBackward(side[own], side[gradient], side[own]);
        });
        double Gate(int row, int o) => values[(row * 2 * columns) + o];
        double Up(int row, int o) => values[(row * 2 * columns) + columns + o];
        rig.Compare("SwiGlu", output, (row, o, _) => Tolerances.SwiGlu(Gate(row, o), Up(row, o), 0, 0) + Tolerances.Tiny);
        foreach (var twin in new[] { apart, own })
        {
            rig.Compare("SwiGluBackward", twin, (row, column, _) =>
            {
                int o = column % columns;
                double upstream = g[(row * columns) + o];
                return column < columns ? Tolerances.SwiGluGate(Gate(row, o), Up(row, o), upstream)
                    : Tolerances.SwiGlu(Gate(row, o), upstream, 0, 0) + Tolerances.Tiny;
            });
            Assert.All(rig.Got(twin), x => Assert.True(float.IsFinite(x)));
        }
    }
}
