using Farm.Core;
using Farm.Reference;

namespace Farm.Conformance;

/// <summary>How the rows of a packed weight are divided into parts.</summary>
public enum PartSplit
{
    /// <summary>One part.</summary>
    Whole,

    /// <summary>Up to three parts of odd sizes, the first of one row.</summary>
    Odd,

    /// <summary>Gate and up.</summary>
    GateUp,
}

/// <summary>One combination of everything <see cref="IBackend.Linear"/> takes.</summary>
public sealed record LinearCase(int Rows, int InFeatures, int OutFeatures, DType Storage, DType Source, PartSplit Split, bool Bias,
    bool Accumulate, bool Norm, int Pad)
{
    private const float Epsilon = 1e-5f;

    private bool GateUp => Split == PartSplit.GateUp;

    /// <summary>Combinations that hold every pair of levels.</summary>
    public static IEnumerable<LinearCase> Cover(int[] rows, int[] widths, int[] outputs)
    {
        DType[] storages = [DType.F32, DType.BF16, DType.I8], sources = [DType.F32, DType.BF16, DType.F16];
        return
            from l in Pairwise.Cover(rows.Length, widths.Length, outputs.Length, 3, 3, 3, 2, 2, 2, 2)
            let split = (PartSplit)l[5]
            select new LinearCase(rows[l[0]], widths[l[1]], outputs[l[2]], storages[l[3]], sources[l[4]], split,
                l[6] == 1 && split != PartSplit.GateUp, l[7] == 1 && split != PartSplit.GateUp, l[8] == 1, l[9] * 3);
    }

    /// <summary>Runs the case on both backends and compares.</summary>
    public void Check(Rig rig)
    {
        ArgumentNullException.ThrowIfNull(rig);
        int seed = HashCode();
        var parts = Parts(seed);
        var weight = rig.Pack(parts, Storage, GateUp ? LinearLayout.GateUp : LinearLayout.Concatenated);
        Assert.Equal((InFeatures, OutFeatures, Storage), (weight.Actual.InFeatures, weight.Actual.OutFeatures, weight.Actual.DType));
        Assert.Equal(weight.Expected.Layout, weight.Actual.Layout);
        Assert.True(weight.Actual.Bytes >= weight.Expected.Bytes,
            $"{weight.Actual.Bytes} bytes cannot hold the weight's {weight.Expected.Bytes}");

        float[]? gain = Norm ? TestData.Uniform(seed + 1, InFeatures, 2f) : null;
        float[] x = TestData.Uniform(seed + 2, Rows * InFeatures);
        if (Storage == DType.I8)
        {
            Int8Margins.Clear(x, InFeatures, gain: gain);
        }

        float[] before = TestData.Uniform(seed + 3, Rows * OutFeatures), offset = TestData.Uniform(seed + 4, OutFeatures);
        var input = rig.Real(Rows, InFeatures, x, Pad);
        var output = Accumulate ? rig.Real(Rows, OutFeatures, before, Pad) : rig.Output(Rows, OutFeatures, Pad);
        var bias = Bias ? rig.Real(1, OutFeatures, offset) : null;
        var norm = gain is null ? null : rig.Real(1, InFeatures, gain);
        rig.Run(side => side.Backend.Linear(side[input], side[weight], side[output], side[bias], Accumulate, side[norm], Epsilon));

        double[] inputNorms = InputNorms(x, gain), weightNorms = WeightNorms((ReferenceLinearWeight)weight.Expected);
        var halves = GateUp ? Halves(rig, parts, input, norm) : default;
        rig.Compare($"Linear {this}", output, (row, column, want) =>
        {
            double Dot(int o) => Tolerances.Dot(Storage, InFeatures, inputNorms[row], weightNorms[o], Norm);
            return GateUp
                ? Tolerances.SwiGlu(halves.Gate[(row * OutFeatures) + column], halves.Up[(row * OutFeatures) + column], Dot(column),
                    Dot(OutFeatures + column))
                : Dot(column) + Tolerances.Added(want, Bias ? offset[column] : 0, Accumulate ? before[(row * OutFeatures) + column] : 0);
        });
    }

    private int HashCode() => (Rows * 31) + (InFeatures * 7) + (OutFeatures * 3) + (int)Storage + (10 * (int)Source);

    private List<IRowSource> Parts(int seed)
    {
        int[] sizes = Split switch
        {
            PartSplit.Whole => [OutFeatures],
            PartSplit.GateUp => [OutFeatures, OutFeatures],
            _ => [.. new[] { 1, (OutFeatures - 1) / 3, OutFeatures - 1 - ((OutFeatures - 1) / 3) }.Where(n => n > 0)],
        };
        return [.. sizes.Select((n, i) => BackendConformance.Source($"part {(char)('a' + i)}", n, InFeatures, Source, Storage,
            seed + (100 * i)))];
    }

    private double[] InputNorms(float[] x, float[]? gain)
    {
        var norms = new double[Rows];
        for (int t = 0; t < Rows; t++)
        {
            double squares = 0, weighted = 0;
            for (int i = 0; i < InFeatures; i++)
            {
                double value = x[(t * InFeatures) + i], scaled = value * (gain?[i] ?? 1f);
                squares += value * value;
                weighted += scaled * scaled;
            }

            norms[t] = Math.Sqrt(gain is null ? weighted : weighted / ((squares / InFeatures) + Epsilon));
        }

        return norms;
    }

    private double[] WeightNorms(ReferenceLinearWeight weight)
    {
        var norms = new double[weight.Rows];
        for (int o = 0; o < norms.Length; o++)
        {
            double squares = 0;
            for (int i = 0; i < InFeatures; i++)
            {
                squares += weight[o, i] * weight[o, i];
            }

            norms[o] = Math.Sqrt(squares);
        }

        return norms;
    }

    // Gate and up before SwiGLU, by the reference alone: how their errors spread depends on their values.
    private (float[] Gate, float[] Up) Halves(Rig rig, List<IRowSource> parts, Twin input, Twin? norm)
    {
        var outputs = new[] { rig.Output(Rows, OutFeatures), rig.Output(Rows, OutFeatures) };
        for (int i = 0; i < 2; i++)
        {
            using var half = rig.Expected.PackLinear([parts[i]], Storage);
            rig.Expected.Linear(input.Expected, half, outputs[i].Expected, default, false, norm?.Expected ?? default, Epsilon);
        }

        return (rig.Want(outputs[0]), rig.Want(outputs[1]));
    }
}
