using Farm.Core;
using Farm.Reference;

namespace Farm.Conformance;

public abstract partial class TrainingConformance
{
    private static readonly int[] Vocabularies = [1, 2, 33, 1000, 3001];
    private static readonly int[] HiddenWidths = [1, 7, 16, 33, 65, 100];
    private static readonly int[] TokenCounts = [0, 1, 2, 7, 17, 33, 65, 130];

    public static IEnumerable<object[]> CrossEntropyCases() =>
        from l in Pairwise.Cover(Vocabularies.Length, HiddenWidths.Length, TokenCounts.Length, 2, 3, 2)
        select new object[] { TokenCounts[l[2]], HiddenWidths[l[1]], Vocabularies[l[0]], l[3] == 1 ? DType.BF16 : DType.F32, l[4], l[5] * 3 };

    [ConformanceTheory]
    [MemberData(nameof(CrossEntropyCases))]
    public void LinearCrossEntropy_matches_the_reference(int rows, int width, int vocabulary, DType type, int gradients, int pad)
    {
        using var rig = NewRig();
        bool withHidden = gradients > 0, withWeight = gradients > 1;
        int seed = rows + (31 * width) + (7 * vocabulary);
        float[] h = TestData.Normal(seed, rows * width), w = Stored(type, TestData.Normal(seed + 1, vocabulary * width, (float)(3 / Math.Sqrt(width))));
        int[] labels = [.. TestData.Integers(seed + 2, rows, vocabulary).Select((label, t) => t % 4 == 3 ? (t % 8 == 3 ? -1 : -100) : label)];

        // Scales of both signs and several sizes, and one zero.
        float[] scale = [.. TestData.Uniform(seed + 3, rows, 2f).Select((x, t) => t % 9 == 4 ? 0 : t % 5 == 2 ? 0.01f * x : x)];
        float[] before = TestData.Normal(seed + 4, vocabulary * width);
        Twin hidden = rig.Real(rows, width, h, pad), weight = rig.Real(vocabulary, width, w, pad, type), label = rig.Ints(labels);
        Twin scales = rig.Real(1, rows, scale), losses = rig.Output(1, rows);
        Twin hiddenGradient = rig.Output(rows, width, pad), weightGradient = rig.Real(vocabulary, width, before, pad);
        Run(rig, (ops, side) => ops.LinearCrossEntropy(side[hidden], side[weight], side[label], side[scales], side[losses],
            withHidden ? side[hiddenGradient] : default, withWeight ? side[weightGradient] : default));

        double[][] x = Doubles(h, rows), weights = Doubles(w, vocabulary), p = [.. x.Select(row => Array.ConvertAll(
            ReferenceBackend.LogSoftmax(row, weights), Math.Exp))];
        double weightNorm = Rows(w, vocabulary).Max(row => Norm(row)), widest = Largest(w), largestHidden = Largest(h);
        double[] logit = [.. Rows(h, rows).Select(row => Norm(row) * weightNorm)];
        double[] error = Array.ConvertAll(logit, l => Tolerances.VocabularyProbability(width, l));
        rig.Compare("LinearCrossEntropy, losses", losses, (_, t, _) => labels[t] < 0 ? 0 : (2 * Tolerances.Sum(width, logit[t])) + Tolerances.LogProb(logit[t]));
        rig.Compare("LinearCrossEntropy, hidden", hiddenGradient, (t, _, _) =>
            labels[t] < 0 ? 0 : Math.Abs(scale[t]) * widest * (error[t] + (2 * Tolerances.Sum(vocabulary, 1)) + (4 * Tolerances.U)));

        // Each term scale (p - [label]) h has the error of p, a rounding where the label is taken off, and the sum's.
        double[] bound = new double[vocabulary];
        for (int t = 0; t < rows && withWeight; t++)
        {
            for (int v = 0; v < vocabulary && labels[t] >= 0; v++)
            {
                double away = v == labels[t] ? Math.Abs(1 - p[t][v]) + (4 * Tolerances.U) : p[t][v];
                bound[v] += Math.Abs(scale[t]) * largestHidden * ((p[t][v] * error[t]) + (v == labels[t] ? 4 * Tolerances.U : 0)
                    + (away * (Tolerances.Sum(rows + 1, 1) + (4 * Tolerances.U))));
            }
        }

        rig.Compare("LinearCrossEntropy, weight", weightGradient, (v, column, want) =>
            bound[v] + (withWeight ? Tolerances.Sum(rows + 1, Math.Abs(before[(v * width) + column])) + Tolerances.Tiny : 0));
    }

    [ConformanceFact]
    public void LinearCrossEntropy_of_logits_in_the_thousands_stays_finite_and_right()
    {
        using var rig = NewRig();
        Twin hidden = rig.Real(2, 2, [1000, 0, -1000, 1]), weight = rig.Real(3, 2, [1, 0, -1, 0, 0.5f, 1]), labels = rig.Ints([0, 2]);
        Twin scales = rig.Real(1, 2, [1, 1]), losses = rig.Output(1, 2), dh = rig.Output(2, 2), dw = rig.Real(3, 2, new float[6]);
        Run(rig, (ops, side) => ops.LinearCrossEntropy(side[hidden], side[weight], side[labels], side[scales], side[losses], side[dh], side[dw]));
        rig.Compare("LinearCrossEntropy, losses", losses, (_, _, want) => Tolerances.LogProb(1000));
        rig.Compare("LinearCrossEntropy, hidden", dh, (_, _, want) => 4 * Tolerances.U * Math.Abs(want));
        rig.Compare("LinearCrossEntropy, weight", dw, (_, _, want) => 4 * Tolerances.U * Math.Abs(want));
        Assert.Equal(1499, rig.Got(losses)[1], 0.01);
    }

    [ConformanceFact]
    public void LinearCrossEntropy_refuses_wrong_shapes()
    {
        using var rig = NewRig();
        var ops = Tested(rig);
        Tensor New(int rows, int columns, DType type = DType.F32) => rig.Real(rows, columns, new float[rows * columns], 0, type).Actual;
        Tensor h = New(3, 8), w = New(5, 8), labels = rig.Ints([0, 1, -1]).Actual, scales = New(1, 3), losses = New(1, 3);
        ops.LinearCrossEntropy(h, w, labels, scales, losses, New(3, 8), New(5, 8));
        Assert.ThrowsAny<ArgumentException>(() => ops.LinearCrossEntropy(h, New(5, 7), labels, scales, losses));
        Assert.ThrowsAny<ArgumentException>(() => ops.LinearCrossEntropy(h, w, rig.Ints([0, 1]).Actual, scales, losses));
        Assert.ThrowsAny<ArgumentException>(() => ops.LinearCrossEntropy(h, w, labels, New(1, 2), losses));
        Assert.ThrowsAny<ArgumentException>(() => ops.LinearCrossEntropy(h, w, labels, scales, New(1, 4)));
        Assert.ThrowsAny<ArgumentException>(() => ops.LinearCrossEntropy(h, w, labels, scales, losses, New(3, 7)));
        Assert.ThrowsAny<ArgumentException>(() => ops.LinearCrossEntropy(h, w, labels, scales, losses, default, New(4, 8)));
        Assert.ThrowsAny<ArgumentException>(() => ops.LinearCrossEntropy(h, w, labels, scales, losses, default, New(5, 8, DType.BF16)));
        Assert.ThrowsAny<ArgumentException>(() => ops.LinearCrossEntropy(New(3, 8, DType.BF16), w, labels, scales, losses));
    }

    private static double[][] Doubles(float[] values, int rows) => Array.ConvertAll(Rows(values, rows), row => Array.ConvertAll(row, x => (double)x));
}
