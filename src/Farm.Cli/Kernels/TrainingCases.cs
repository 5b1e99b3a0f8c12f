using Farm.Core;

namespace Farm.Cli.Kernels;

/// <summary>The operations of training at a model's shapes.</summary>
internal static class TrainingCases
{
    private const double Float = 1e-4;

    /// <summary>All of them.</summary>
    /// <param name="m">The model.</param>
    /// <param name="rows">Token rows of a pass.</param>
    /// <param name="sequences">Sequences that they belong to.</param>
    public static IEnumerable<KernelCase> Of(ModelShape m, int rows, int sequences)
    {
        yield return MatMul("forward", rows, m.Hidden, m.Intermediate, false, true, DType.F32, false);
        yield return MatMul("forward", rows, m.Hidden, m.Intermediate, false, true, DType.BF16, false);
        yield return MatMul("input gradient", rows, m.Intermediate, m.Hidden, false, false, DType.F32, false);
        yield return MatMul("input gradient", rows, m.Intermediate, m.Hidden, false, false, DType.BF16, true);
        yield return MatMul("weight gradient", m.Intermediate, rows, m.Hidden, true, false, DType.F32, true);
        yield return MatMul("both turned", m.Hidden, rows, 64, true, true, DType.F32, false);
        yield return MatMul("both turned", m.Hidden, rows, 64, true, true, DType.BF16, false);
        yield return Of("add-bias", rows, m.Hidden, 2, 1, o =>
        {
            var (b, y) = (o.Real(1, m.Hidden), o.Real(rows, m.Hidden));
            return new KernelRun(() => o.Backend.AddBias(b, y), () => o.Read(y));
        });
        yield return Of("sum-rows", rows, m.Hidden, 1, 1, o =>
        {
            var (x, y) = (o.Real(rows, m.Hidden), o.Real(1, m.Hidden));
            return new KernelRun(() => o.Backend.SumRows(x, y), () => o.Read(y));
        });
        yield return Of("scale", rows, m.Hidden, 3, 2, o =>
        {
            var (x, y) = (o.Real(rows, m.Hidden), o.Real(rows, m.Hidden));
            return new KernelRun(() => o.Backend.Scale(x, 0.5f, y, accumulate: true), () => o.Read(y));
        });
        yield return Of("rms-norm-backward", rows, m.Hidden, 4, 12, o =>
        {
            var (x, w, g, dx, dw) = (o.Real(rows, m.Hidden), o.Real(1, m.Hidden), o.Real(rows, m.Hidden), o.Real(rows, m.Hidden), o.Real(1, m.Hidden));
            return new KernelRun(() => o.Backend.RmsNormBackward(x, w, 1e-5f, g, dx, dw), () => o.Read(dx, dw));
        });
        yield return Of("rope-backward", rows, m.QkvWidth, 2, 3, o =>
        {
            var (g, at, cosine, sine) = (o.Real(rows, m.QkvWidth), o.Ints(1, rows, i => i % 256), o.Real(256, m.HeadDim / 2), o.Real(256, m.HeadDim / 2));
            return new KernelRun(() => o.Backend.RopeBackward(g, m.Heads, m.KvHeads, at, cosine, sine), () => o.Read(g));
        });
        yield return Of("swiglu", rows, m.Intermediate, 3, 5, o =>
        {
            var (x, y) = (o.Real(rows, 2 * m.Intermediate), o.Zero(rows, m.Intermediate));
            return new KernelRun(() => o.Backend.SwiGlu(x, y), () => o.Read(y));
        });
        yield return Of("swiglu-backward", rows, m.Intermediate, 5, 12, o =>
        {
            var (x, g, d) = (o.Real(rows, 2 * m.Intermediate), o.Real(rows, m.Intermediate), o.Zero(rows, 2 * m.Intermediate));
            return new KernelRun(() => o.Backend.SwiGluBackward(x, g, d), () => o.Read(d));
        });
        yield return Of("embedding-backward", rows, m.Hidden, 3, 1, o =>
        {
            int entries = Math.Min(m.Vocabulary, 2048);
            var (ids, g, d) = (o.Ints(1, rows, i => i * 31 % entries), o.Real(rows, m.Hidden), o.Real(entries, m.Hidden));
            return new KernelRun(() => o.Backend.EmbeddingBackward(ids, g, d), () => o.Read(d));
        });
        yield return Attention(m, rows, sequences, backward: false);
        yield return Attention(m, rows, sequences, backward: true);
        yield return CrossEntropy(m, Math.Min(rows, 64), DType.F32);
        yield return CrossEntropy(m, Math.Min(rows, 64), DType.BF16);
        yield return Of("sum-of-squares", rows * 16, m.Hidden, 1, 2, o =>
        {
            var x = o.Real(rows * 16, m.Hidden);
            double sum = 0;
            return new KernelRun(() => sum = o.Backend.SumOfSquares(x), () => [(float)sum]);
        });
        yield return Of("adamw", rows * 16, m.Hidden, 7, 14, o =>
        {
            var (p, g, first, second) = (o.Real(rows * 16, m.Hidden), o.Real(rows * 16, m.Hidden), o.Real(rows * 16, m.Hidden), o.Zero(rows * 16, m.Hidden));
            return new KernelRun(() => o.Backend.AdamW(p, g, first, second, new AdamWStep(1, 1e-3f, 0.9f, 0.999f, 1e-8f, 0.01f, 0.5f)), () => o.Read(p, first, second));
        });
    }

    private static KernelCase Of(string op, int rows, int columns, double tensors, double flops, Func<CaseOperands, KernelRun> prepare) =>
        new(op, $"{rows} rows of {columns}", 4.0 * tensors * rows * columns, flops * rows * columns, Float, prepare);

    private static KernelCase MatMul(string what, int rows, int inner, int columns, bool transposeA, bool transposeB, DType type, bool accumulate) =>
        new("matmul", $"{what}: [{rows}, {inner}] x [{inner}, {columns}], {type.Name()}",
            (4.0 * rows * inner) + ((double)type.Size() * inner * columns) + (4.0 * rows * columns * (accumulate ? 2 : 1)), 2.0 * rows * inner * columns, Float, o =>
        {
            var a = transposeA ? o.Real(inner, rows) : o.Real(rows, inner);
            var (b, c) = (transposeB ? o.Real(columns, inner) : o.Real(inner, columns), o.Real(rows, columns));
            if (type == DType.BF16)
            {
                var rounded = o.Zero(b.Rows, b.Columns, DType.BF16);
                o.Backend.Copy(b, rounded);
                b = rounded;
            }

            return new KernelRun(() => o.Backend.MatMul(a, transposeA, b, transposeB, c, accumulate), () => o.Read(c));
        });

    private static KernelCase Attention(ModelShape m, int rows, int sequences, bool backward)
    {
        int length = rows / sequences;
        double pairs = (double)sequences * length * (length + 1) / 2;
        return new KernelCase(backward ? "attention-backward" : "attention-train", $"{sequences} sequences of {length}, {m.Heads}/{m.KvHeads} heads of {m.HeadDim}",
            4.0 * rows * ((backward ? 2 * m.QkvWidth : m.QkvWidth) + ((backward ? 2 : 1) * m.QueryWidth)), (backward ? 10.0 : 4.0) * pairs * m.QueryWidth, Float, o =>
        {
            var (qkv, starts) = (o.Real(sequences * length, m.QkvWidth), o.Ints(1, sequences + 1, i => i * length));
            var (y, lse) = (o.Zero(qkv.Rows, m.QueryWidth), o.Zero(qkv.Rows, m.Heads));
            float scale = 1 / MathF.Sqrt(m.HeadDim);
            if (!backward)
            {
                return new KernelRun(() => o.Backend.AttentionTrain(qkv, m.Heads, m.KvHeads, starts, scale, y, lse), () => o.Read(y, lse));
            }

            var (g, d) = (o.Real(qkv.Rows, m.QueryWidth), o.Zero(qkv.Rows, m.QkvWidth));
            o.Backend.AttentionTrain(qkv, m.Heads, m.KvHeads, starts, scale, y, lse);
            return new KernelRun(() => o.Backend.AttentionBackward(qkv, m.Heads, m.KvHeads, starts, scale, y, lse, g, d), () => o.Read(d));
        });
    }

    private static KernelCase CrossEntropy(ModelShape m, int rows, DType type) =>
        new("linear-cross-entropy", $"{rows} rows, {m.Hidden} to {m.Vocabulary}, {type.Name()}",
            (8.0 * rows * m.Hidden) + ((type.Size() + 8.0) * m.Hidden * m.Vocabulary), 6.0 * rows * m.Hidden * m.Vocabulary, Float, o =>
        {
            var (h, w, labels, scales) = (o.Real(rows, m.Hidden), o.Real(m.Vocabulary, m.Hidden, 0.1f), o.Ints(1, rows, i => i % 5 == 0 ? -100 : i * 17 % m.Vocabulary), o.Real(1, rows));
            if (type == DType.BF16)
            {
                var rounded = o.Zero(w.Rows, w.Columns, DType.BF16);
                o.Backend.Copy(w, rounded);
                w = rounded;
            }

            var (losses, dh, dw) = (o.Zero(1, rows), o.Zero(rows, m.Hidden), o.Zero(m.Vocabulary, m.Hidden));
            return new KernelRun(() => o.Backend.LinearCrossEntropy(h, w, labels, scales, losses, dh, dw), () => o.Read(losses, dh, dw));
        });
}
