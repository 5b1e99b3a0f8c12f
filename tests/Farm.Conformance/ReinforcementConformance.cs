using Farm.Core;

namespace Farm.Conformance;

/// <summary>
/// Every operation of <see cref="IReinforcementBackend"/> that <see cref="ITrainingBackend"/> lacks, against the float64 reference. A test project derives one class for each backend and instruction
/// set. Any number of tokens from 0 is within the contract.
/// </summary>
public abstract partial class ReinforcementConformance
{
    protected static readonly int[] TokenCounts = [0, 1, 2, 7, 16, 33, 130, 5000];

    public static IEnumerable<object[]> Counts() => TokenCounts.Select(n => new object[] { n });

    /// <summary>The backend under test, with so many threads.</summary>
    protected abstract IReinforcementBackend CreateBackend(int threads);

    private protected Rig NewRig() => new(CreateBackend(2));

    private protected static void Run(Rig rig, Action<IReinforcementBackend, Side> operation) => rig.Run(side => operation((IReinforcementBackend)side.Backend, side));

    // Row lengths of 0, 1 and more that add up to n.
    private static int[] Starts(int n)
    {
        var starts = new List<int> { 0 };
        for (int i = 0; starts[^1] < n; i++)
        {
            starts.Add(Math.Min(n, starts[^1] + (new[] { 3, 1, 0, 64, 17, 300 })[i % 6]));
        }

        return [.. starts];
    }

    [ConformanceTheory]
    [MemberData(nameof(Counts))]
    public void Gae_matches_the_reference(int n)
    {
        foreach (var (gamma, lambda) in new[] { (1f, 1f), (0.99f, 0.95f), (0.9f, 0f), (0f, 0.7f) })
        {
            using var rig = NewRig();
            float[] r = TestData.Normal(n, n), v = TestData.Normal(n + 1, n);
            int[] first = Starts(n);
            Twin rewards = rig.Real(1, n, r), values = rig.Real(1, n, v), starts = rig.Ints(first), advantages = rig.Output(1, n), returns = rig.Output(1, n);
            Run(rig, (ops, side) => ops.Gae(side[rewards], side[values], side[starts], gamma, lambda, side[advantages], side[returns]));
            // A term of the sum is at most as large as the largest delta; with discounts the sum is shorter, which only tightens it.
            double largest = n == 0 ? 0 : r.Zip(v, (x, y) => Math.Abs(x) + (2 * Math.Abs(y))).Max(), bound = Tolerances.Sum(300, 300 * largest);
            rig.Compare("Gae, advantages", advantages, (_, _, _) => bound);
            rig.Compare("Gae, returns", returns, (_, _, _) => bound);
        }
    }

    [ConformanceFact]
    public void Gae_of_one_row_by_hand()
    {
        using var rig = NewRig();
        Twin rewards = rig.Real(1, 3, [1, 0, 2]), values = rig.Real(1, 3, [0.5f, 1, -1]), starts = rig.Ints([0, 2, 3]), advantages = rig.Output(1, 3), returns = rig.Output(1, 3);
        Run(rig, (ops, side) => ops.Gae(side[rewards], side[values], side[starts], 0.5f, 0.5f, side[advantages], side[returns]));
        // Row of two: delta_1 = 0 - 1 = -1; delta_0 = 1 + 0.5 - 0.5 = 1, advantage_0 = 1 - 0.25. Row of one: 2 + 1.
        Assert.Equal([0.75f, -1f, 3f], rig.Got(advantages));
        Assert.Equal([1.25f, 0f, 2f], rig.Got(returns));
    }

    [ConformanceTheory]
    [MemberData(nameof(Counts))]
    public void Whiten_matches_the_reference(int n)
    {
        foreach (bool shift in new[] { true, false })
        {
            using var rig = NewRig();
            float[] x = [.. TestData.Normal(n, n).Select(v => 5 + (0.1f * v))];
            Twin input = rig.Real(1, n, x), output = rig.Output(1, n), inPlace = rig.Real(1, n, x);
            Run(rig, (ops, side) =>
            {
                ops.Whiten(side[input], shift, side[output]);
                ops.Whiten(side[inPlace], shift, side[inPlace]);
            });
            // (x - m) / s: with s about 0.1 and x about 5, a rounding of x - m in float32 would be 3e-6.
            rig.Compare("Whiten", output, (_, _, want) => 2e-5 + (8 * Tolerances.U * Math.Abs(want)));
            Assert.Equal(rig.Got(output), rig.Got(inPlace));
        }
    }

    [ConformanceFact]
    public void Whiten_of_equal_elements_keeps_the_mean_or_gives_zeros()
    {
        using var rig = NewRig();
        Twin input = rig.Real(1, 5, [3, 3, 3, 3, 3]), zeros = rig.Output(1, 5), means = rig.Output(1, 5);
        Run(rig, (ops, side) =>
        {
            ops.Whiten(side[input], true, side[zeros]);
            ops.Whiten(side[input], false, side[means]);
        });
        Assert.All(rig.Got(zeros), v => Assert.Equal(0f, v));
        Assert.All(rig.Got(means), v => Assert.Equal(3f, v));
    }

    [ConformanceTheory]
    [MemberData(nameof(Counts))]
    public void TokenKl_matches_the_reference(int n)
    {
        float[] p = TestData.Uniform(n, n, 3), q = [.. TestData.Uniform(n + 1, n, 3).Select((x, i) => i % 3 == 0 ? p[i] + (0.001f * x) : i % 7 == 0 ? p[i] : x)];
        foreach (var estimator in Enum.GetValues<KlEstimator>())
        {
            using var rig = NewRig();
            Twin logProbs = rig.Real(1, n, p), reference = rig.Real(1, n, q), kl = rig.Output(1, n);
            Run(rig, (ops, side) => ops.TokenKl(side[logProbs], side[reference], estimator, side[kl]));
            rig.Compare($"TokenKl, {estimator}", kl, (_, t, want) =>
            {
                // exp(-d) - 1 + d may be taken in float32 from an expm1: two terms of magnitude |d| that nearly cancel.
                double d = Math.Abs((double)p[t] - q[t]);
                return (4 * Tolerances.U * (d + Math.Abs(want))) + Tolerances.Tiny;
            });
            Assert.All(estimator == KlEstimator.K1 ? [] : rig.Got(kl), v => Assert.True(v >= 0));
        }
    }

    [ConformanceTheory]
    [MemberData(nameof(Counts))]
    public void ValueLoss_matches_the_reference(int n)
    {
        using var rig = NewRig();
        float[] v = TestData.Normal(n, n), old = [.. v.Zip(TestData.Normal(n + 1, n), (x, y) => x + (0.3f * y))], target = TestData.Normal(n + 2, n);
        Twin values = rig.Real(1, n, v), before = rig.Real(1, n, old), returns = rig.Real(1, n, target);
        Twin losses = rig.Output(1, n), clipped = rig.Output(1, n), gradients = rig.Output(1, n);
        Run(rig, (ops, side) => ops.ValueLoss(side[values], side[before], side[returns], 0.2f, -1.5f, side[losses], side[clipped], side[gradients]));
        double Magnitude(int t) => Math.Abs(v[t]) + Math.Abs(old[t]) + Math.Abs(target[t]) + 0.2;
        // The side of a tie is decided by rounding; away from ties flags and gradients agree.
        bool Near(int t)
        {
            double bounded = Math.Clamp(v[t], (double)old[t] - 0.2f, (double)old[t] + 0.2f), plain = Math.Abs((double)v[t] - target[t]), other = Math.Abs(bounded - target[t]);
            return bounded != v[t] && Math.Abs(plain - other) < 8 * Tolerances.U * Magnitude(t);
        }

        rig.Compare("ValueLoss, losses", losses, (_, t, want) => 16 * Tolerances.U * Magnitude(t) * Magnitude(t));
        rig.Compare("ValueLoss, clipped", clipped, (_, t, _) => Near(t) ? 1 : 0);
        rig.Compare("ValueLoss, gradients", gradients, (_, t, _) => Near(t) ? 3 * Magnitude(t) : 8 * Tolerances.U * Magnitude(t));
    }

    [ConformanceTheory]
    [MemberData(nameof(Counts))]
    public void DpoLoss_matches_the_reference(int n)
    {
        float[][] x = [.. Enumerable.Range(0, 4).Select(i => Array.ConvertAll(TestData.Normal(n + i, n), v => (i % 2 == 0 ? -20 : -22) + (9 * v)))];
        foreach (var settings in new[] { new DpoSettings(DpoKind.Sigmoid, 0.1f, 0, 0.25f), new(DpoKind.Sigmoid, 2, 0.1f, -3), new(DpoKind.Ipo, 0.5f, 0.3f, 1) })
        {
            using var rig = NewRig();
            Twin pc = rig.Real(1, n, x[0]), pr = rig.Real(1, n, x[1]), rc = rig.Real(1, n, x[2]), rr = rig.Real(1, n, x[3]), losses = rig.Output(1, n), gradients = rig.Output(1, n);
            Run(rig, (ops, side) => ops.DpoLoss(side[pc], side[pr], side[rc], side[rr], settings, side[losses], side[gradients]));
            double Error(int t) => 4 * Tolerances.U * x.Sum(v => Math.Abs((double)v[t]));
            double H(int t) => Math.Abs(((double)x[0][t] - x[2][t]) - ((double)x[1][t] - x[3][t]));
            rig.Compare("DpoLoss, losses", losses, (_, t, want) =>
                (settings.Kind == DpoKind.Ipo ? 2 * (H(t) + 1) : settings.Beta) * Error(t) + (16 * Tolerances.U * (1 + Math.Abs(want))));
            rig.Compare("DpoLoss, gradients", gradients, (_, t, want) =>
                Math.Abs(settings.Scale) * (settings.Kind == DpoKind.Ipo ? 2 : settings.Beta * settings.Beta) * Error(t) + (16 * Tolerances.U * (1 + Math.Abs(want))));
        }
    }

    [ConformanceTheory]
    [MemberData(nameof(Counts))]
    public void PairwiseLoss_matches_the_reference(int n)
    {
        using var rig = NewRig();
        float[] r = [.. TestData.Normal(n, 2 * n).Select((v, i) => i % 11 == 0 ? 500 * v : v)];
        Twin rewards = rig.Real(n, 2, r, 1), choices = rig.Ints(TestData.Integers(n, n, 2)), losses = rig.Output(1, n), gradients = rig.Output(n, 2, 2);
        Run(rig, (ops, side) => ops.PairwiseLoss(side[rewards], side[choices], 0.7f, side[losses], side[gradients]));
        double Error(int p) => 4 * Tolerances.U * (1 + Math.Abs(r[2 * p]) + Math.Abs(r[(2 * p) + 1]));
        rig.Compare("PairwiseLoss, losses", losses, (_, p, want) => Error(p) + (16 * Tolerances.U * Math.Abs(want)));
        rig.Compare("PairwiseLoss, gradients", gradients, (p, _, _) => Error(p));
    }

    [ConformanceFact]
    public void Vectors_of_wrong_shapes_are_refused()
    {
        using var rig = NewRig();
        var ops = (IReinforcementBackend)rig.Actual;
        Tensor New(int rows, int columns) => rig.Real(rows, columns, new float[rows * columns]).Actual;
        Tensor starts = rig.Ints([0, 3]).Actual;
        ops.Gae(New(1, 3), New(1, 3), starts, 1, 1, New(1, 3), New(1, 3));
        Assert.ThrowsAny<ArgumentException>(() => ops.Gae(New(1, 3), New(1, 2), starts, 1, 1, New(1, 3), New(1, 3)));
        Assert.ThrowsAny<ArgumentException>(() => ops.Whiten(New(2, 3), true, New(2, 3)));
        Assert.ThrowsAny<ArgumentException>(() => ops.TokenKl(New(1, 3), New(1, 3), KlEstimator.K1, New(1, 4)));
        Assert.ThrowsAny<ArgumentException>(() => ops.TokenKl(New(1, 3), New(1, 3), (KlEstimator)9, New(1, 3)));
        Assert.ThrowsAny<ArgumentException>(() => ops.ValueLoss(New(1, 3), New(1, 3), New(1, 3), 0.2f, 1, New(1, 3), New(1, 2), New(1, 3)));
        Assert.ThrowsAny<ArgumentException>(() => ops.DpoLoss(New(1, 3), New(1, 3), New(1, 3), New(1, 4), new DpoSettings(DpoKind.Sigmoid, 0.1f, 0, 1), New(1, 3), New(1, 3)));
        Assert.ThrowsAny<ArgumentException>(() => ops.DpoLoss(New(1, 3), New(1, 3), New(1, 3), New(1, 3), new DpoSettings(DpoKind.Sigmoid, 0, 0, 1), New(1, 3), New(1, 3)));
        Assert.ThrowsAny<ArgumentException>(() => ops.PairwiseLoss(New(3, 3), rig.Ints([0, 1, 0]).Actual, 1, New(1, 3), New(3, 3)));
        Assert.ThrowsAny<ArgumentException>(() => ops.PairwiseLoss(New(3, 2), rig.Ints([0, 1]).Actual, 1, New(1, 3), New(3, 2)));
    }

    [ConformanceFact]
    public void Results_are_bitwise_the_same_for_any_number_of_threads()
    {
        const int N = 9000;
        float[]? first = null;
        foreach (int threads in new[] { 1, 2, 3, 5 })
        {
            using var backend = CreateBackend(threads);
            using var m = new Operands(backend);
            Tensor Data(int seed, int rows = 1, int columns = N) => m.Real(rows, columns, TestData.Normal(seed, rows * columns));
            Tensor advantages = m.Real(1, N), returns = m.Real(1, N), whitened = m.Real(1, N), losses = m.Real(1, N), flags = m.Real(1, N), gradients = m.Real(1, N);
            backend.Gae(Data(1), Data(2), m.Ints(1, Starts(N).Length, Starts(N)), 1, 0.95f, advantages, returns);
            backend.Whiten(advantages, true, whitened);
            backend.ValueLoss(Data(2), Data(3), returns, 0.2f, 1, losses, flags, gradients);
            Tensor logProbs = m.Real(1, 130), policy = m.Real(1, 130), clipped = m.Real(1, 130), dh = m.Real(130, 64), dw = Data(9, 1000, 64);
            backend.LinearPolicyLoss(Data(4, 130, 64), Data(5, 1000, 64), m.Ints(1, 130, TestData.Integers(6, 130, 1000)), new PolicyLossSettings(0.7f, 0.2f, 0.1f), Data(7, 1, 130), Data(8, 1, 130),
                logProbs, policy, clipped, default, dh, dw);
            float[] got = [.. new[] { advantages, returns, whitened, losses, gradients, logProbs, policy, dh, dw }.SelectMany(m.Read)];
            first ??= got;
            Assert.True(got.AsSpan().SequenceEqual(first), $"{threads} threads give other bits");
        }
    }
}
