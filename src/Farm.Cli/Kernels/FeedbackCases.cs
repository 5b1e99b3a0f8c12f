using Farm.Core;

namespace Farm.Cli.Kernels;

/// <summary>The operations of learning from feedback, and shapes of training that no model case has: large tiles of products, wide heads, rows off their alignment.</summary>
internal static class FeedbackCases
{
    private const double Float = 1e-4;

    /// <summary>All of them.</summary>
    public static IEnumerable<KernelCase> All()
    {
        const int N = 1000, Columns = 700;
        yield return Of("gae", N, 4, o =>
        {
            var (r, v, starts, a, returns) = (o.Real(1, N), o.Real(1, N), o.Ints(1, 6, i => i * (N / 5)), o.Zero(1, N), o.Zero(1, N));
            return new KernelRun(() => Backend(o).Gae(r, v, starts, 0.99f, 0.95f, a, returns), () => o.Read(a, returns));
        });
        yield return Of("whiten", N, 2, o =>
        {
            var (x, y) = (o.Real(1, N), o.Zero(1, N));
            return new KernelRun(() => Backend(o).Whiten(x, true, y), () => o.Read(y));
        });
        yield return Of("token-kl", N, 3, o =>
        {
            var (p, q, kl) = (o.Real(1, N), o.Real(1, N), o.Zero(1, N));
            return new KernelRun(() => Backend(o).TokenKl(p, q, KlEstimator.K3, kl), () => o.Read(kl));
        });
        yield return Of("value-loss", N, 6, o =>
        {
            var (v, old, target, loss, clipped, d) = (o.Real(1, N), o.Real(1, N), o.Real(1, N), o.Zero(1, N), o.Zero(1, N), o.Zero(1, N));
            return new KernelRun(() => Backend(o).ValueLoss(v, old, target, 0.2f, 1, loss, clipped, d), () => o.Read(loss, d));
        });
        yield return Of("dpo-loss", N, 6, o =>
        {
            var (pc, pr, rc, rr, loss, d) = (o.Real(1, N), o.Real(1, N), o.Real(1, N), o.Real(1, N), o.Zero(1, N), o.Zero(1, N));
            return new KernelRun(() => Backend(o).DpoLoss(pc, pr, rc, rr, new DpoSettings(DpoKind.Sigmoid, 0.5f, 0.1f, 1), loss, d), () => o.Read(loss, d));
        });
        yield return Of("pairwise-loss", N, 6, o =>
        {
            var (rewards, choices, loss, d) = (o.Real(N, 2), o.Ints(1, N, i => i & 1), o.Zero(1, N), o.Zero(N, 2));
            return new KernelRun(() => Backend(o).PairwiseLoss(rewards, choices, 1, loss, d), () => o.Read(loss, d));
        });
        yield return Of("quark-loss", 33 * Columns, 3, o =>
        {
            var (z, y, ids, loss, p) = (o.Real(33, Columns), o.Real(33, Columns), o.Ints(1, 33, i => i * 17 % Columns), o.Zero(1, 33), o.Zero(1, 33));
            var (kl, entropy, d) = (o.Zero(1, 33), o.Zero(1, 33), o.Zero(33, Columns));
            return new KernelRun(() => Backend(o).QuarkLoss(z, y, ids, new QuarkSettings(0.7f, Columns - 4, 0.5f, 0.1f, 1), loss, p, kl, entropy, d), () => o.Read(loss, p, kl, entropy, d));
        });
        yield return Of("linear-policy-loss", 33 * Columns, 3, o =>
        {
            var (h, w, ids, old, advantage) = (o.Real(33, 40), o.Real(Columns, 40), o.Ints(1, 33, i => i * 17 % Columns), o.Real(1, 33), o.Real(1, 33));
            var (p, loss, clipped, dh, dw) = (o.Zero(1, 33), o.Zero(1, 33), o.Zero(1, 33), o.Zero(33, 40), o.Zero(Columns, 40));
            var settings = new PolicyLossSettings(0.7f, 1e6f, 1);
            return new KernelRun(() => Backend(o).LinearPolicyLoss(h, w, ids, settings, old, advantage, p, loss, clipped, default, dh, dw), () => o.Read(p, dh, dw));
        });
        foreach (var type in new[] { DType.F32, DType.BF16 })
        {
            for (int layout = 0; layout < 4; layout++)
            {
                // More tiles of 128 than a GPU has multiprocessors.
                yield return Product(1536, 16, 1408, (layout & 2) > 0, (layout & 1) > 0, type);
                // Rows of 21 elements do not lie on 16 bytes.
                yield return Product(21, 21, 21, (layout & 2) > 0, (layout & 1) > 0, type);
            }
        }

        yield return WideHeads();
    }

    private static IReinforcementBackend Backend(CaseOperands o) => (IReinforcementBackend)o.Backend;

    private static KernelCase Of(string op, long elements, double tensors, Func<CaseOperands, KernelRun> prepare) =>
        new(op, $"{elements} elements", 4.0 * tensors * elements, 10.0 * elements, Float, prepare);

    private static KernelCase Product(int m, int k, int n, bool transposeA, bool transposeB, DType type) =>
        new("matmul", $"[{m}, {k}] x [{k}, {n}], {type.Name()}{(transposeA ? ", a turned" : string.Empty)}{(transposeB ? ", b turned" : string.Empty)}",
            (4.0 * m * k) + ((double)type.Size() * k * n) + (4.0 * m * n), 2.0 * m * k * n, Float, o =>
        {
            var (a, b, c) = (transposeA ? o.Real(k, m) : o.Real(m, k), transposeB ? o.Real(n, k) : o.Real(k, n), o.Zero(m, n));
            if (type == DType.BF16)
            {
                var rounded = o.Zero(b.Rows, b.Columns, DType.BF16);
                o.Backend.Copy(b, rounded);
                b = rounded;
            }

            return new KernelRun(() => o.Backend.MatMul(a, transposeA, b, transposeB, c), () => o.Read(c));
        });

    private static KernelCase WideHeads()
    {
        const int T = 70, HeadDim = 256, Width = 3 * HeadDim;
        return new KernelCase("attention-backward", $"one sequence of {T}, 1/1 heads of {HeadDim}", 4.0 * T * Width * 3, 14.0 * T * T / 2 * HeadDim, Float, o =>
        {
            var (qkv, starts, y, lse) = (o.Real(T, Width), o.Ints(1, 2, i => i * T), o.Zero(T, HeadDim), o.Zero(T, 1));
            var (g, d) = (o.Real(T, HeadDim), o.Zero(T, Width));
            return new KernelRun(
                () =>
                {
                    o.Backend.AttentionTrain(qkv, 1, 1, starts, 1f / 16, y, lse);
                    o.Backend.AttentionBackward(qkv, 1, 1, starts, 1f / 16, y, lse, g, d);
                },
                () => o.Read(y, lse, d));
        });
    }
}
