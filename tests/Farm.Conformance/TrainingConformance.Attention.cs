using Farm.Core;

namespace Farm.Conformance;

public abstract partial class TrainingConformance
{
    protected static readonly int[] HeadDims = [2, 16, 24, 64, 80, 100, 128];

    private static readonly int[][] Batches =
    [
        [1, 2, 15, 16, 17, 63, 64, 65, 127, 128, 129, 200], [1], [2, 0, 1, 65], [16, 33, 1, 17], [128, 1], [64, 64, 63], [129, 2], [],
    ];

    public static IEnumerable<object[]> AttentionCases() =>
        from l in Pairwise.Cover(HeadDims.Length, 3, Batches.Length, 2, 2)
        where l[2] > 0
        select new object[] { HeadDims[l[0]], l[1] + 1, 2 - l[3], l[2], l[4] * 3 };

    /// <summary>All lengths at once, every head width.</summary>
    public static IEnumerable<object[]> LongAttentionCases() =>
        HeadDims.Select((headDim, i) => new object[] { headDim, (i % 3) + 1, 1, 0, i % 2 * 3 });

    [ConformanceTheory]
    [MemberData(nameof(AttentionCases))]
    [MemberData(nameof(LongAttentionCases))]
    public void Attention_and_its_backward_match_the_reference(int headDim, int ratio, int kvHeads, int batch, int pad)
    {
        using var rig = NewRig();
        var c = new PackedAttention(rig, Batches[batch], ratio * kvHeads, kvHeads, headDim, pad);
        Run(rig, (ops, side) => ops.AttentionTrain(side[c.Qkv], c.Heads, kvHeads, side[c.Starts], c.Scale, side[c.Output], side[c.LogSumExp]));
        double[] valueNorm = c.Largest(c.Heads + kvHeads, c.Heads + (2 * kvHeads));
        rig.Compare("AttentionTrain", c.Output, (row, column, _) => valueNorm[0]
            * Tolerances.Attention(headDim, c.Keys(row), c.QueryNorm(row, column / headDim), c.KeyNorm, c.Scale));
        rig.Compare("AttentionTrain, log sum exp", c.LogSumExp, (row, head, _) =>
            Tolerances.LogSumExp(headDim, c.Keys(row), c.QueryNorm(row, head) * c.KeyNorm * c.Scale));

        // The backward starts from the reference's forward on both sides, so that it is measured alone.
        Twin output = rig.Real(c.Rows, c.Heads * headDim, rig.Want(c.Output), pad), lse = rig.Real(c.Rows, c.Heads, rig.Want(c.LogSumExp));
        float[] g = TestData.Uniform(headDim + c.Rows, c.Rows * c.Heads * headDim);
        Twin upstream = rig.Real(c.Rows, c.Heads * headDim, g, pad), gradient = rig.Output(c.Rows, c.Width, pad);
        Run(rig, (ops, side) => ops.AttentionBackward(side[c.Qkv], c.Heads, kvHeads, side[c.Starts], c.Scale, side[output], side[lse],
            side[upstream], side[gradient]));
        var bound = c.GradientBound(g, rig.Want(lse));
        rig.Compare("AttentionBackward", gradient, (row, column, _) => bound(row, column));
    }

    [ConformanceFact]
    public void A_sequence_is_bitwise_the_same_alone_and_in_a_packed_batch()
    {
        const int HeadDim = 24, Heads = 4, KvHeads = 2;
        using var rig = NewRig();
        var ops = Tested(rig);
        var c = new PackedAttention(rig, Batches[0], Heads, KvHeads, HeadDim, 0);
        var upstream = rig.Real(c.Rows, Heads * HeadDim, TestData.Uniform(5, c.Rows * Heads * HeadDim));
        var gradient = rig.Output(c.Rows, c.Width);
        ops.AttentionTrain(c.Qkv.Actual, Heads, KvHeads, c.Starts.Actual, c.Scale, c.Output.Actual, c.LogSumExp.Actual);
        ops.AttentionBackward(c.Qkv.Actual, Heads, KvHeads, c.Starts.Actual, c.Scale, c.Output.Actual, c.LogSumExp.Actual, upstream.Actual,
            gradient.Actual);
        float[] outputs = rig.Got(c.Output), gradients = rig.Got(gradient);
        for (int first = 0, s = 0; s < Batches[0].Length; first += Batches[0][s++])
        {
            int n = Batches[0][s];
            Twin output = rig.Output(n, Heads * HeadDim), lse = rig.Output(n, Heads), own = rig.Output(n, c.Width), starts = rig.Ints([0, n]);
            Tensor qkv = c.Qkv.Actual.SliceRows(first, n);
            ops.AttentionTrain(qkv, Heads, KvHeads, starts.Actual, c.Scale, output.Actual, lse.Actual);
            ops.AttentionBackward(qkv, Heads, KvHeads, starts.Actual, c.Scale, output.Actual, lse.Actual, upstream.Actual.SliceRows(first, n),
                own.Actual);
            AssertSameBits($"AttentionTrain, sequence of {n}", outputs.AsSpan(first * Heads * HeadDim, n * Heads * HeadDim).ToArray(), rig.Got(output));
            AssertSameBits($"AttentionBackward, sequence of {n}", gradients.AsSpan(first * c.Width, n * c.Width).ToArray(), rig.Got(own));
        }
    }

    [ConformanceFact]
    public void Attention_of_scores_in_the_hundreds_stays_finite_and_right()
    {
        const int T = 40, HeadDim = 16;
        using var rig = NewRig();
        float[] values = TestData.Uniform(1, T * 3 * HeadDim);
        for (int i = 0; i < values.Length; i++)
        {
            // Queries and keys of whole and half numbers: the scores, up to several hundred, are exact in float32.
            values[i] = i % (3 * HeadDim) < 2 * HeadDim ? MathF.Round(values[i] * 16) / 2 : values[i];
        }

        Twin qkv = rig.Real(T, 3 * HeadDim, values), starts = rig.Ints([0, T]), output = rig.Output(T, HeadDim), lse = rig.Output(T, 1);
        Twin upstream = rig.Real(T, HeadDim, TestData.Uniform(2, T * HeadDim)), gradient = rig.Output(T, 3 * HeadDim);
        Run(rig, (ops, side) => ops.AttentionTrain(side[qkv], 1, 1, side[starts], 1f, side[output], side[lse]));
        Assert.True(rig.Want(lse).Max() > 100);

        // Exact scores leave the rounding of score minus maximum, the exponentials and the sums; log sum exp rounds at its own size.
        double weight = Tolerances.U * (2 * rig.Want(lse).Max(MathF.Abs) + (3 * Tolerances.Exponential));
        rig.Compare("AttentionTrain", output, (_, _, _) => 2 * (weight + Tolerances.Sum(T, 1)));
        rig.Compare("AttentionTrain, log sum exp", lse, (_, _, want) => weight + Tolerances.Sum(T, 1));
        Run(rig, (ops, side) => ops.AttentionBackward(side[qkv], 1, 1, side[starts], 1f, side[output], side[lse], side[upstream], side[gradient]));
        Assert.All(rig.Got(gradient), x => Assert.True(float.IsFinite(x)));
    }

    [ConformanceFact]
    public void Attention_refuses_wrong_shapes()
    {
        using var rig = NewRig();
        var ops = Tested(rig);
        Tensor New(int rows, int columns, DType type = DType.F32) => rig.Real(rows, columns, new float[rows * columns], 0, type).Actual;
        Tensor qkv = New(3, 32), starts = rig.Ints([0, 1, 3]).Actual, output = New(3, 16), lse = New(3, 2);
        ops.AttentionTrain(qkv, 2, 1, starts, 1, output, lse);
        ops.AttentionBackward(qkv, 2, 1, starts, 1, output, lse, New(3, 16), New(3, 32));
        Assert.ThrowsAny<ArgumentException>(() => ops.AttentionTrain(qkv, 3, 2, starts, 1, output, lse));
        Assert.ThrowsAny<ArgumentException>(() => ops.AttentionTrain(qkv, 0, 1, starts, 1, output, lse));
        Assert.ThrowsAny<ArgumentException>(() => ops.AttentionTrain(New(3, 33), 2, 1, starts, 1, output, lse));
        Assert.ThrowsAny<ArgumentException>(() => ops.AttentionTrain(qkv, 2, 1, starts, 1, New(3, 15), lse));
        Assert.ThrowsAny<ArgumentException>(() => ops.AttentionTrain(qkv, 2, 1, starts, 1, output, New(3, 1)));
        Assert.ThrowsAny<ArgumentException>(() => ops.AttentionTrain(qkv, 2, 1, New(1, 3), 1, output, lse));
        Assert.ThrowsAny<ArgumentException>(() => ops.AttentionTrain(New(3, 32, DType.BF16), 2, 1, starts, 1, output, lse));
        Assert.ThrowsAny<ArgumentException>(() => ops.AttentionBackward(qkv, 2, 1, starts, 1, output, lse, New(2, 16), New(3, 32)));
        Assert.ThrowsAny<ArgumentException>(() => ops.AttentionBackward(qkv, 2, 1, starts, 1, output, lse, New(3, 16), New(3, 16)));
        Assert.ThrowsAny<ArgumentException>(() => ops.AttentionBackward(qkv, 2, 1, starts, 1, output, default, New(3, 16), New(3, 32)));
    }
}
