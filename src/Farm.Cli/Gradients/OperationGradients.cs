using Farm.Cli.Kernels;
using Farm.Core;

namespace Farm.Cli.Gradients;

/// <summary>The gradients of the operations of training (<see cref="ITrainingBackend"/>): each is of the sum of the outputs times random numbers.</summary>
internal static class OperationGradients
{
    private const double Tolerance = 1e-3;

    /// <summary>Every operation that has a gradient.</summary>
    public static IEnumerable<GradientCase> All() =>
    [
        new("linear", Tolerance, Linear), new("bias", Tolerance, Bias), new("scale", Tolerance, Scale), new("embedding", Tolerance, Embedding), new("rms-norm", Tolerance, RmsNorm),
        new("rope", Tolerance, Rope), new("attention", Tolerance, Attention), new("swiglu", Tolerance, SwiGlu), new("linear-cross-entropy", Tolerance, LinearCrossEntropy),
    ];

    /// <summary>The sum of the tensor's elements times the upstream gradient's.</summary>
    public static double Dot(CaseOperands o, Tensor output, float[] upstream) => o.Read(output).Zip(upstream).Sum(p => (double)p.First * p.Second);

    private static GradientProbe Linear(CaseOperands o)
    {
        Tensor x = o.Real(5, 24), w = o.Real(9, 24), g = o.Real(5, 9), y = o.Zero(5, 9), dx = o.Zero(5, 24), dw = o.Zero(9, 24);
        return Probe(o, y, g, () => o.Backend.MatMul(x, false, w, true, y), () =>
        {
            o.Backend.MatMul(g, false, w, false, dx);
            o.Backend.MatMul(g, true, x, false, dw);
        }, ("input", x, dx), ("weight", w, dw));
    }

    private static GradientProbe Bias(CaseOperands o)
    {
        Tensor x = o.Real(6, 10), b = o.Real(1, 10), g = o.Real(6, 10), y = o.Zero(6, 10), db = o.Zero(1, 10);
        return Probe(o, y, g, () =>
        {
            o.Backend.Copy(x, y);
            o.Backend.AddBias(b, y);
        }, () => o.Backend.SumRows(g, db), ("bias", b, db));
    }

    private static GradientProbe Scale(CaseOperands o)
    {
        Tensor x = o.Real(4, 7), g = o.Real(4, 7), y = o.Zero(4, 7), dx = o.Zero(4, 7);
        return Probe(o, y, g, () => o.Backend.Scale(x, -1.75f, y), () => o.Backend.Scale(g, -1.75f, dx), ("input", x, dx));
    }

    private static GradientProbe Embedding(CaseOperands o)
    {
        // Ids occur twice and not at all.
        Tensor table = o.Real(5, 12), ids = o.Ints(1, 6, i => i * i % 5), g = o.Real(6, 12), y = o.Zero(6, 12), dt = o.Zero(5, 12);
        return Probe(o, y, g, () => o.Backend.Embedding(ids, table, y), () => o.Backend.EmbeddingBackward(ids, g, dt), ("table", table, dt));
    }

    private static GradientProbe RmsNorm(CaseOperands o)
    {
        const float Epsilon = 1e-5f;
        Tensor x = o.Real(4, 20), w = o.Real(1, 20), g = o.Real(4, 20), y = o.Zero(4, 20), dx = o.Zero(4, 20), dw = o.Zero(1, 20);
        return Probe(o, y, g, () => o.Backend.RmsNorm(x, w, Epsilon, y), () => o.Backend.RmsNormBackward(x, w, Epsilon, g, dx, dw), ("input", x, dx), ("weight", w, dw));
    }

    private static GradientProbe Rope(CaseOperands o)
    {
        const int Heads = 2, KvHeads = 1, HeadDim = 8, Rows = 5, Columns = (Heads + (2 * KvHeads)) * HeadDim;
        Tensor x = o.Real(Rows, Columns), g = o.Real(Rows, Columns), y = o.Zero(Rows, Columns), dx = o.Zero(Rows, Columns);
        Tensor positions = o.Ints(1, Rows, i => (3 * i) % 7), cosine = o.Real(7, HeadDim / 2), sine = o.Real(7, HeadDim / 2);
        return Probe(o, y, g, () =>
        {
            o.Backend.Copy(x, y);
            o.Backend.RopeAppendKv(y, Heads, KvHeads, positions, cosine, sine, null, 0, default);
        }, () =>
        {
            o.Backend.Copy(g, dx);
            o.Backend.RopeBackward(dx, Heads, KvHeads, positions, cosine, sine);
        }, ("input", x, dx));
    }

    private static GradientProbe Attention(CaseOperands o)
    {
        const int Heads = 4, KvHeads = 2, HeadDim = 16, Rows = 9, Columns = (Heads + (2 * KvHeads)) * HeadDim;
        const float Scale = 0.35f;
        Tensor x = o.Real(Rows, Columns), g = o.Real(Rows, Heads * HeadDim), y = o.Zero(Rows, Heads * HeadDim), lse = o.Zero(Rows, Heads), dx = o.Zero(Rows, Columns);
        var starts = o.Ints(1, 3, i => i == 0 ? 0 : i == 1 ? 4 : Rows);
        void Forward() => o.Backend.AttentionTrain(x, Heads, KvHeads, starts, Scale, y, lse);
        return Probe(o, y, g, Forward, () =>
        {
            Forward();
            o.Backend.AttentionBackward(x, Heads, KvHeads, starts, Scale, y, lse, g, dx);
        }, ("query, key, value", x, dx));
    }

    private static GradientProbe SwiGlu(CaseOperands o)
    {
        Tensor x = o.Real(4, 22, 3), g = o.Real(4, 11), y = o.Zero(4, 11), dx = o.Zero(4, 22);
        return Probe(o, y, g, () => o.Backend.SwiGlu(x, y), () => o.Backend.SwiGluBackward(x, g, dx), ("gate, up", x, dx));
    }

    private static GradientProbe LinearCrossEntropy(CaseOperands o)
    {
        Tensor h = o.Real(5, 16), w = o.Real(13, 16), scales = o.Real(1, 5), losses = o.Zero(1, 5), dh = o.Zero(5, 16), dw = o.Zero(13, 16);
        var labels = o.Ints(1, 5, i => i == 3 ? -1 : 4 * i % 13);
        return Probe(o, losses, scales, () => o.Backend.LinearCrossEntropy(h, w, labels, scales, losses), () => o.Backend.LinearCrossEntropy(h, w, labels, scales, losses, dh, dw),
            ("hidden", h, dh), ("weight", w, dw));
    }

    private static GradientProbe Probe(CaseOperands o, Tensor output, Tensor upstream, Action forward, Action backward, params (string Name, Tensor Value, Tensor Gradient)[] operands)
    {
        float[] weights = o.Read(upstream);
        return new GradientProbe([.. operands.Select(p => (p.Name, p.Value))], () =>
        {
            forward();
            return Dot(o, output, weights);
        }, () =>
        {
            backward();
            return [.. operands.Select(p => p.Gradient)];
        });
    }
}
