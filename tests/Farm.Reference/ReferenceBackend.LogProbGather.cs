using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void LogProbGather(Tensor logits, Tensor ids, float temperature, Tensor logprobs, Tensor entropy = default)
    {
        const string Operation = nameof(LogProbGather);
        Check.Type(Operation, nameof(logits), logits, DType.F32);
        Check.Shape(Operation, nameof(ids), ids, DType.I32, 1, logits.Rows);
        Check.Shape(Operation, nameof(logprobs), logprobs, DType.F32, 1, logits.Rows);
        Check.That(temperature > 0, Operation, $"a temperature of {temperature}");
        if (!entropy.IsNone)
        {
            Check.Shape(Operation, nameof(entropy), entropy, DType.F32, 1, logits.Rows);
        }

        int[] index = TensorIO.ReadInts(ids);
        double[] logs = new double[logits.Rows], entropies = new double[logits.Rows];
        for (int t = 0; t < logits.Rows; t++)
        {
            Check.Index(Operation, nameof(ids), index[t], logits.Columns);
            double[] row = ReferenceSampler.LogSoftmax(TensorIO.ReadRowSingle(logits, t), temperature);
            logs[t] = row[index[t]];

            // H = -sum p log p, where an impossible token adds nothing.
            foreach (double log in row)
            {
                entropies[t] -= double.IsNegativeInfinity(log) ? 0 : Math.Exp(log) * log;
            }
        }

        TensorIO.WriteRow(logprobs, 0, logs);
        if (!entropy.IsNone)
        {
            TensorIO.WriteRow(entropy, 0, entropies);
        }
    }
}
