using Farm.Conformance;
using Farm.Core;

namespace Farm.Reference.Tests;

/// <summary>
/// Every backward of the reference against finite differences of its forward, in float64 and with the fourth-order central formula, whose
/// error at this step is below 1e-10; linear operations in whole numbers, where a difference of 1 is exact.
/// </summary>
public sealed class GradientTests : IDisposable
{
    private const double Step = 1e-3;
    private readonly HandBackend _hand = new();

    public void Dispose() => _hand.Dispose();

    [Theory]
    [InlineData(1, 1e-5)]
    [InlineData(7, 1e-5)]
    [InlineData(12, 0.5)]
    public void RmsNorm(int columns, double epsilon)
    {
        double[] x = Random(1, 1, columns)[0], gain = Random(2, 1, columns)[0], g = Random(3, 1, columns)[0];
        double[] dx = Random(4, 1, columns)[0], dw = Random(5, 1, columns)[0];
        double[] beforeX = [.. dx], beforeW = [.. dw];
        ReferenceBackend.NormalisedBackward(x, gain, epsilon, g, dx, dw);
        double Loss() => ReferenceBackend.Dot(g, ReferenceBackend.Normalised(x, gain, epsilon));
        AssertGradient(Loss, x, Difference(dx, beforeX));
        AssertGradient(Loss, gain, Difference(dw, beforeW));
    }

    [Fact]
    public void Rope()
    {
        double[] x = Random(1, 1, 10)[0], g = Random(2, 1, 10)[0], angles = Random(3, 1, 5)[0];
        double[] cosine = Array.ConvertAll(angles, Math.Cos), sine = Array.ConvertAll(angles, Math.Sin), back = [.. g];
        ReferenceBackend.RotateBack(back, cosine, sine);
        AssertGradient(() =>
        {
            double[] y = [.. x];
            ReferenceBackend.Rotate(y, cosine, sine);
            return ReferenceBackend.Dot(g, y);
        }, x, back);
    }

    [Theory]
    [InlineData(1, 1, 2)]
    [InlineData(2, 2, 4)]
    [InlineData(4, 2, 6)]
    [InlineData(3, 1, 4)]
    public void Attention(int heads, int kvHeads, int headDim)
    {
        int[] starts = [0, 3, 4, 4, 9];
        const double Scale = 0.7;
        double[][] qkv = Random(heads, 9, (heads + (2 * kvHeads)) * headDim, 1.5f), g = Random(heads + 1, 9, heads * headDim);
        var (output, lse) = ReferenceBackend.CausalAttention(qkv, heads, kvHeads, starts, Scale);
        double[][] gradient = ReferenceBackend.CausalAttentionBackward(qkv, heads, kvHeads, starts, Scale, output, lse, g);
        double Loss() => Dot(g, ReferenceBackend.CausalAttention(qkv, heads, kvHeads, starts, Scale).Output);
        for (int t = 0; t < qkv.Length; t++)
        {
            AssertGradient(Loss, qkv[t], gradient[t]);
        }
    }

    [Fact]
    public void SwiGlu()
    {
        double[] gateUp = Random(1, 1, 22, 4)[0], g = Random(2, 1, 11)[0];
        AssertGradient(() => ReferenceBackend.Dot(g, ReferenceBackend.SwiGlu(gateUp)), gateUp, ReferenceBackend.SwiGluBackward(gateUp, g));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(9)]
    public void LinearCrossEntropy(int vocabulary)
    {
        double[][] hidden = Random(1, 4, 5), weight = Random(2, vocabulary, 5), before = Random(3, vocabulary, 5);
        double[][] dh = [.. hidden.Select(row => new double[row.Length])], dw = [.. before.Select(row => (double[])row.Clone())];
        int[] labels = [vocabulary - 1, -100, 0, vocabulary / 2];
        double[] scales = [0.5, 3, -2, 0.25];
        for (int t = 0; t < hidden.Length; t++)
        {
            ReferenceBackend.CrossEntropy(hidden[t], weight, labels[t], scales[t], dh[t], dw);
        }

        double Loss() => hidden.Select((h, t) => scales[t] * ReferenceBackend.CrossEntropy(h, weight, labels[t], 0, new double[5], null)).Sum();
        for (int t = 0; t < hidden.Length; t++)
        {
            AssertGradient(Loss, hidden[t], dh[t]);
        }

        for (int v = 0; v < vocabulary; v++)
        {
            AssertGradient(Loss, weight[v], Difference(dw[v], before[v]));
        }
    }

    [Fact]
    public void A_linear_layer_with_bias_by_MatMul()
    {
        const int T = 3, In = 4, Out = 5;
        float[] x = Whole(1, T * In), w = Whole(2, Out * In), b = Whole(3, Out), g = Whole(4, T * Out);
        double Loss()
        {
            Tensor y = _hand.Output(T, Out);
            _hand.Ops.MatMul(_hand.Real(T, x), false, _hand.Real(Out, w), true, y);
            _hand.Ops.AddBias(_hand.Real(1, b), y);
            return _hand.Read(y).Zip(g).Sum(pair => (double)pair.First * pair.Second);
        }

        Tensor dy = _hand.Real(T, g), dx = _hand.Output(T, In), dw = _hand.Output(Out, In), db = _hand.Real(1, new float[Out]);
        _hand.Ops.MatMul(dy, false, _hand.Real(Out, w), false, dx);
        _hand.Ops.MatMul(dy, true, _hand.Real(T, x), false, dw);
        _hand.Ops.SumRows(dy, db);
        AssertWholeGradient(Loss, x, _hand.Read(dx));
        AssertWholeGradient(Loss, w, _hand.Read(dw));
        AssertWholeGradient(Loss, b, _hand.Read(db));
    }

    [Fact]
    public void Embedding()
    {
        float[] table = Whole(1, 6 * 3), g = Whole(2, 5 * 3);
        Tensor ids = _hand.Ints(1, 4, 0, 4, 4, 5), gradient = _hand.Real(6, new float[18]);
        _hand.Ops.EmbeddingBackward(ids, _hand.Real(5, g), gradient);
        AssertWholeGradient(() =>
        {
            Tensor y = _hand.Output(5, 3);
            _hand.Ops.Embedding(ids, _hand.Real(6, table), y);
            return _hand.Read(y).Zip(g).Sum(pair => (double)pair.First * pair.Second);
        }, table, _hand.Read(gradient));
    }

    [Fact]
    public void The_difference_formula_notices_a_wrong_gradient()
    {
        double[] x = Random(1, 1, 6)[0], g = Random(2, 1, 3)[0];
        double[] wrong = ReferenceBackend.SwiGluBackward(x, g);
        wrong[2] *= 1 + 1e-6;
        Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => AssertGradient(() => ReferenceBackend.Dot(g, ReferenceBackend.SwiGlu(x)), x, wrong));
    }

    private static void AssertGradient(Func<double> loss, double[] x, double[] gradient)
    {
        for (int i = 0; i < x.Length; i++)
        {
            double kept = x[i];
            double At(double steps)
            {
                x[i] = kept + (steps * Step);
                return loss();
            }

            double difference = ((8 * (At(1) - At(-1))) - (At(2) - At(-2))) / (12 * Step);
            x[i] = kept;
            double bound = 1e-8 * Math.Max(0.1, Math.Abs(gradient[i]));
            Assert.True(Math.Abs(difference - gradient[i]) <= bound, $"element {i}: gradient {gradient[i]:R}, difference {difference:R}");
        }
    }

    private static void AssertWholeGradient(Func<double> loss, float[] x, float[] gradient)
    {
        double at = loss();
        for (int i = 0; i < x.Length; i++)
        {
            x[i]++;
            Assert.Equal(loss() - at, gradient[i]);
            x[i]--;
        }
    }

    private static double[][] Random(int seed, int rows, int columns, float scale = 1) =>
        [.. TestData.Uniform(seed, rows * columns, scale).Chunk(columns).Select(row => Array.ConvertAll(row, x => (double)x))];

    private static float[] Whole(int seed, int count) => Array.ConvertAll(TestData.Uniform(seed, count, 9), MathF.Round);

    private static double[] Difference(double[] x, double[] y) => [.. x.Zip(y, (a, b) => a - b)];

    private static double Dot(double[][] x, double[][] y) => x.Zip(y).Sum(pair => ReferenceBackend.Dot(pair.First, pair.Second));
}
