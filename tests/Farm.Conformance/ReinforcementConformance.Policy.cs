using Farm.Core;
using Farm.Reference;

namespace Farm.Conformance;

public abstract partial class ReinforcementConformance
{
    private static readonly float[] Temperatures = [1, 0.7f, 2];

    public static IEnumerable<object[]> PolicyCases() =>
        from l in Pairwise.Cover(5, 4, 6, 2, 3, 3)
        select new object[] { (new[] { 0, 1, 7, 17, 33, 130 })[l[2]], (new[] { 1, 16, 33, 100 })[l[1]], (new[] { 1, 2, 33, 1000, 1283 })[l[0]], l[3] == 1 ? DType.BF16 : DType.F32, l[4], Temperatures[l[5]] };

    [ConformanceTheory]
    [MemberData(nameof(PolicyCases))]
    public void LinearLogProb_matches_the_reference(int rows, int width, int vocabulary, DType type, int gradients, float temperature)
    {
        using var rig = NewRig();
        var c = new PolicyCase(rig, rows, width, vocabulary, type, temperature);
        float[] slope = [.. TestData.Uniform(rows + 3, rows, 2f).Select((x, t) => t % 9 == 4 ? 0 : x)];
        Twin slopes = rig.Real(1, rows, slope), logProbs = rig.Output(1, rows), entropies = rig.Output(1, rows);
        bool withHidden = gradients > 0, withWeight = gradients > 1;
        Run(rig, (ops, side) => ops.LinearLogProb(side[c.Hidden], side[c.Weight], side[c.Ids], temperature, side[logProbs], gradients == 1 ? default : side[entropies],
            gradients > 0 ? side[slopes] : default, withHidden ? side[c.HiddenGradient] : default, withWeight ? side[c.WeightGradient] : default));
        rig.Compare("LinearLogProb, logProbs", logProbs, (_, t, _) => c.LogProbError(t));
        rig.Compare("LinearLogProb, entropies", entropies, (_, t, _) => (2 * c.LogProbError(t)) + Tolerances.Sum(vocabulary, Math.Log(Math.Max(vocabulary, 2))));
        c.CompareGradients("LinearLogProb", slope, [.. slope.Select(_ => 0.0)], withWeight);
    }

    [ConformanceTheory]
    [MemberData(nameof(PolicyCases))]
    public void LinearPolicyLoss_matches_the_reference(int rows, int width, int vocabulary, DType type, int gradients, float temperature)
    {
        const float Clip = 0.2f, Scale = -0.3f;
        using var rig = NewRig();
        var c = new PolicyCase(rig, rows, width, vocabulary, type, temperature);
        // Ratios on both sides of the interval, inside it, and exactly 1 up to rounding; none near its ends.
        float[] advantage = TestData.Normal(rows + 5, rows), old = [.. c.Expected.Select((x, t) => (float)x - (new[] { 0.5f, -0.5f, 0.1f, 0, -0.1f })[t % 5])];
        Twin before = rig.Real(1, rows, old), advantages = rig.Real(1, rows, advantage);
        Twin logProbs = rig.Output(1, rows), losses = rig.Output(1, rows), clipped = rig.Output(1, rows), entropies = rig.Output(1, rows);
        bool withHidden = gradients > 0, withWeight = gradients > 1;
        Run(rig, (ops, side) => ops.LinearPolicyLoss(side[c.Hidden], side[c.Weight], side[c.Ids], new PolicyLossSettings(temperature, Clip, Scale), side[before], side[advantages],
            side[logProbs], side[losses], side[clipped], gradients == 1 ? default : side[entropies], withHidden ? side[c.HiddenGradient] : default, withWeight ? side[c.WeightGradient] : default));
        double Error(int t) => c.LogProbError(t) + (2 * Tolerances.U * Math.Abs(old[t])) + (8 * Tolerances.U);
        rig.Compare("LinearPolicyLoss, logProbs", logProbs, (_, t, _) => c.LogProbError(t));
        rig.Compare("LinearPolicyLoss, losses", losses, (_, t, want) => 2 * Math.Abs(advantage[t]) * Error(t));
        rig.Compare("LinearPolicyLoss, clipped", clipped, (_, _, _) => 0);
        if (rows >= 5 && vocabulary > 1)
        {
            Assert.Contains(1f, rig.Got(clipped));
            Assert.Contains(0f, rig.Got(clipped));
        }

        float[] flags = rig.Want(clipped);
        float[] slope = [.. c.Expected.Select((x, t) => flags[t] > 0 ? 0 : (float)(-Scale * advantage[t] * Math.Exp(x - old[t])))];
        c.CompareGradients("LinearPolicyLoss", slope, [.. Enumerable.Range(0, rows).Select(t => 2 * Error(t))], withWeight);
    }

    [ConformanceFact]
    public void LinearPolicyLoss_of_unchanged_weights_has_ratio_one_exactly()
    {
        using var rig = NewRig();
        var c = new PolicyCase(rig, 33, 16, 100, DType.F32, 0.7f);
        Twin before = rig.Output(1, 33), advantages = rig.Real(1, 33, TestData.Normal(5, 33)), logProbs = rig.Output(1, 33), losses = rig.Output(1, 33), clipped = rig.Output(1, 33);
        Run(rig, (ops, side) =>
        {
            ops.LinearLogProb(side[c.Hidden], side[c.Weight], side[c.Ids], 0.7f, side[before]);
            ops.LinearPolicyLoss(side[c.Hidden], side[c.Weight], side[c.Ids], new PolicyLossSettings(0.7f, 0.2f, 1), side[before], side[advantages], side[logProbs], side[losses], side[clipped]);
        });
        Assert.Equal(rig.Got(before), rig.Got(logProbs));
        Assert.Equal([.. rig.Got(advantages).Select(a => -a)], rig.Got(losses));
        Assert.All(rig.Got(clipped), flag => Assert.Equal(0f, flag));
    }

    [ConformanceFact]
    public void Policy_operations_refuse_wrong_shapes()
    {
        using var rig = NewRig();
        var ops = (IReinforcementBackend)rig.Actual;
        Tensor New(int rows, int columns) => rig.Real(rows, columns, new float[rows * columns]).Actual;
        Tensor h = New(3, 8), w = New(5, 8), ids = rig.Ints([0, 1, 4]).Actual;
        var settings = new PolicyLossSettings(1, 0.2f, 1);
        ops.LinearLogProb(h, w, ids, 1, New(1, 3), New(1, 3), New(1, 3), New(3, 8), New(5, 8));
        Assert.ThrowsAny<ArgumentException>(() => ops.LinearLogProb(h, New(5, 7), ids, 1, New(1, 3)));
        Assert.ThrowsAny<ArgumentException>(() => ops.LinearLogProb(h, w, ids, 0, New(1, 3)));
        Assert.ThrowsAny<ArgumentException>(() => ops.LinearLogProb(h, w, ids, 1, New(1, 2)));
        Assert.ThrowsAny<ArgumentException>(() => ops.LinearLogProb(h, w, ids, 1, New(1, 3), New(1, 4)));
        Assert.ThrowsAny<ArgumentException>(() => ops.LinearLogProb(h, w, ids, 1, New(1, 3), default, New(1, 2)));
        Assert.ThrowsAny<ArgumentException>(() => ops.LinearLogProb(h, w, ids, 1, New(1, 3), default, New(1, 3), New(3, 7)));
        Assert.ThrowsAny<ArgumentException>(() => ops.LinearPolicyLoss(h, w, ids, settings, New(1, 2), New(1, 3), New(1, 3), New(1, 3), New(1, 3)));
        Assert.ThrowsAny<ArgumentException>(() => ops.LinearPolicyLoss(h, w, ids, settings, New(1, 3), New(1, 3), New(1, 3), New(1, 3), New(1, 4)));
        Assert.ThrowsAny<ArgumentException>(() => ops.QuarkLoss(New(3, 8), New(3, 7), ids, new QuarkSettings(1, 4, 0, 0, 1), New(1, 3), New(1, 3), New(1, 3), New(1, 3)));
        Assert.ThrowsAny<ArgumentException>(() => ops.QuarkLoss(New(3, 8), New(3, 8), ids, new QuarkSettings(1, 9, 0, 0, 1), New(1, 3), New(1, 3), New(1, 3), New(1, 3)));
    }

    public static IEnumerable<object[]> QuarkCases() =>
        from l in Pairwise.Cover(4, 4, 3, 2)
        select new object[] { (new[] { 0, 1, 7, 65 })[l[0]], (new[] { 1, 5, 33, 1283 })[l[1]], Temperatures[l[2]], l[3] == 1 };

    [ConformanceTheory]
    [MemberData(nameof(QuarkCases))]
    public void QuarkLoss_matches_the_reference(int rows, int own, float temperature, bool inPlace)
    {
        using var rig = NewRig();
        int columns = own + 4;
        float[] z = TestData.Normal(rows + own, rows * columns, 2), y = TestData.Normal(rows + own + 1, rows * columns, 2);
        int[] id = [.. TestData.Integers(rows, rows, columns).Select((v, t) => t % 5 == 3 ? -1 : v)];
        Twin logits = rig.Real(rows, columns, z, 2), reference = rig.Real(rows, columns, y, 1), ids = rig.Ints(id);
        Twin losses = rig.Output(1, rows), logProbs = rig.Output(1, rows), kl = rig.Output(1, rows), entropies = rig.Output(1, rows), gradient = rig.Output(rows, columns, 3);
        var settings = new QuarkSettings(temperature, own, 0.5f, 0.1f, 0.01f);
        Run(rig, (ops, side) => ops.QuarkLoss(side[logits], side[reference], side[ids], settings, side[losses], side[logProbs], side[kl], side[entropies], side[inPlace ? logits : gradient]));
        double largest = 2 * 5 / temperature, error = 4 * (Tolerances.LogProb(largest) + Tolerances.Sum(columns, largest));
        rig.Compare("QuarkLoss, losses", losses, (_, _, _) => 2 * error);
        rig.Compare("QuarkLoss, logProbs", logProbs, (_, _, _) => error);
        rig.Compare("QuarkLoss, kl", kl, (_, _, _) => 2 * error);
        rig.Compare("QuarkLoss, entropies", entropies, (_, _, _) => 2 * error);
        rig.Compare("QuarkLoss, gradient", inPlace ? logits : gradient, (_, _, _) => settings.Scale / temperature * 4 * error);
    }

    /// <summary>Operands of the fused output layer with what the bounds on its results need.</summary>
    private sealed class PolicyCase
    {
        private readonly Rig _rig;
        private readonly float[] _h, _w, _before;
        private readonly double[][] _probabilities;
        private readonly double[] _logit;
        private readonly int[] _ids;
        private readonly int _rows, _width, _vocabulary;
        private readonly double _temperature;

        public PolicyCase(Rig rig, int rows, int width, int vocabulary, DType type, float temperature)
        {
            (_rig, _rows, _width, _vocabulary, _temperature) = (rig, rows, width, vocabulary, temperature);
            int seed = rows + (31 * width) + (7 * vocabulary);
            _h = TestData.Normal(seed, rows * width);
            _w = Array.ConvertAll(TestData.Normal(seed + 1, vocabulary * width, (float)(3 / Math.Sqrt(width))), x => ArraySource.RoundTo(type, x));
            _before = TestData.Normal(seed + 4, vocabulary * width);
            _ids = TestData.Integers(seed + 2, rows, vocabulary);
            (Hidden, Weight, Ids) = (rig.Real(rows, width, _h, 3), rig.Real(vocabulary, width, _w, 0, type), rig.Ints(_ids));
            (HiddenGradient, WeightGradient) = (rig.Output(rows, width, 3), rig.Real(vocabulary, width, _before, 2));
            double[][] weights = Split(_w, vocabulary);
            double[][] logs = [.. Split(_h, rows).Select(row => ReferenceBackend.LogSoftmax([.. row.Select(x => x / temperature)], weights))];
            Expected = [.. logs.Select((row, t) => row[_ids[t]])];
            _probabilities = [.. logs.Select(row => Array.ConvertAll(row, Math.Exp))];
            double norm = weights.Max(Norm);
            _logit = [.. Split(_h, rows).Select(row => Norm(row) * norm)];
        }

        public Twin Hidden { get; }

        public Twin Weight { get; }

        public Twin Ids { get; }

        public Twin HiddenGradient { get; }

        public Twin WeightGradient { get; }

        /// <summary>Log-probabilities of the ids in float64.</summary>
        public double[] Expected { get; }

        public double LogProbError(int t) => (2 * Tolerances.Sum(_width, _logit[t]) / _temperature) + Tolerances.LogProb(_logit[t], _temperature);

        /// <summary>Compares gradients whose slope d(objective)/d(log-probability) has the relative errors given.</summary>
        public void CompareGradients(string operation, float[] slope, double[] slopeError, bool withWeight)
        {
            double widest = _w.Max(Math.Abs), largestHidden = _h.Length == 0 ? 0 : _h.Max(Math.Abs);
            double Probability(int t) => Tolerances.VocabularyProbability(_width, _logit[t]) / Math.Min(_temperature, 1);
            _rig.Compare(operation + ", hidden", HiddenGradient, (t, _, _) =>
                Math.Abs(slope[t]) / _temperature * widest * (Probability(t) + (2 * Tolerances.Sum(_vocabulary, 1)) + (8 * Tolerances.U) + (2 * slopeError[t])));
            double[] bound = new double[_vocabulary];
            for (int t = 0; t < _rows && withWeight; t++)
            {
                for (int v = 0; v < _vocabulary; v++)
                {
                    double p = _probabilities[t][v], away = v == _ids[t] ? Math.Abs(1 - p) + (4 * Tolerances.U) : p;
                    bound[v] += Math.Abs(slope[t]) / _temperature * largestHidden * ((p * Probability(t)) + (v == _ids[t] ? 8 * Tolerances.U : 0)
                        + (away * (Tolerances.Sum(_rows + 1, 1) + (8 * Tolerances.U) + slopeError[t])));
                }
            }

            _rig.Compare(operation + ", weight", WeightGradient, (v, column, _) =>
                bound[v] + (withWeight ? Tolerances.Sum(_rows + 1, Math.Abs(_before[(v * _width) + column])) + Tolerances.Tiny : 0));
        }

        private static double Norm(double[] row) => Math.Sqrt(row.Sum(x => x * x));

        private static double[][] Split(float[] values, int rows) =>
            [.. Enumerable.Range(0, rows).Select(t => Array.ConvertAll(values.AsSpan(t * values.Length / rows, values.Length / rows).ToArray(), x => (double)x))];
    }
}
