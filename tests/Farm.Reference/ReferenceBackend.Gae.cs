using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void Gae(Tensor rewards, Tensor values, Tensor starts, float gamma, float lambda, Tensor advantages, Tensor returns)
    {
        const string Operation = nameof(Gae);
        Vectors(Operation, rewards.Columns, (nameof(rewards), rewards), (nameof(values), values), (nameof(advantages), advantages), (nameof(returns), returns));
        Check.Shape(Operation, nameof(starts), starts, DType.I32, 1, Math.Max(starts.Columns, 1));
        int[] first = TensorIO.ReadInts(starts);
        Check.That(first[0] == 0 && first[^1] == rewards.Columns && first.Zip(first.Skip(1)).All(p => p.First <= p.Second), Operation, "starts does not divide the elements");
        double[] r = TensorIO.ReadRow(rewards, 0), v = TensorIO.ReadRow(values, 0), a = new double[r.Length];
        for (int row = 0; row + 1 < first.Length; row++)
        {
            Gae(r, v, first[row], first[row + 1], gamma, lambda, a);
        }

        TensorIO.WriteRow(advantages, 0, a);
        TensorIO.WriteRow(returns, 0, [.. a.Zip(v, (x, y) => x + y)]);
    }

    // The sum of eq. 16 as it stands: every later delta, discounted.
    internal static void Gae(double[] rewards, double[] values, int first, int end, double gamma, double lambda, double[] advantages)
    {
        double Delta(int t) => rewards[t] + (t + 1 < end ? gamma * values[t + 1] : 0) - values[t];
        for (int t = first; t < end; t++)
        {
            double sum = 0;
            for (int later = t; later < end; later++)
            {
                sum += Math.Pow(gamma * lambda, later - t) * Delta(later);
            }

            advantages[t] = sum;
        }
    }

    private static void Vectors(string operation, int count, params ReadOnlySpan<(string Name, Tensor Tensor)> vectors)
    {
        foreach (var (name, tensor) in vectors)
        {
            Check.Shape(operation, name, tensor, DType.F32, 1, count);
        }
    }
}
