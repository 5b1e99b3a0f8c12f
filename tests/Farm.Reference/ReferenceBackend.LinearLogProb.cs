using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void LinearLogProb(Tensor hidden, Tensor weight, Tensor ids, float temperature, Tensor logProbs, Tensor entropies = default, Tensor gradients = default,
        Tensor hiddenGradient = default, Tensor weightGradient = default)
    {
        const string Operation = nameof(LinearLogProb);
        double[] slopes = [];
        if (!gradients.IsNone)
        {
            Check.Shape(Operation, nameof(gradients), gradients, DType.F32, 1, hidden.Rows);
            slopes = TensorIO.ReadRow(gradients, 0);
        }

        ThroughVocabulary(Operation, hidden, weight, ids, temperature, logProbs, entropies, gradients.IsNone ? default : hiddenGradient, gradients.IsNone ? default : weightGradient,
            (t, _) => slopes.Length == 0 ? 0 : slopes[t]);
    }

    /// <inheritdoc/>
    public void LinearPolicyLoss(Tensor hidden, Tensor weight, Tensor ids, in PolicyLossSettings settings, Tensor oldLogProbs, Tensor advantages, Tensor logProbs, Tensor losses, Tensor clipped,
        Tensor entropies = default, Tensor hiddenGradient = default, Tensor weightGradient = default)
    {
        const string Operation = nameof(LinearPolicyLoss);
        Vectors(Operation, hidden.Rows, (nameof(oldLogProbs), oldLogProbs), (nameof(advantages), advantages), (nameof(losses), losses), (nameof(clipped), clipped));
        double[] old = TensorIO.ReadRow(oldLogProbs, 0), advantage = TensorIO.ReadRow(advantages, 0), loss = new double[hidden.Rows], flag = new double[hidden.Rows];
        double clip = settings.Clip, scale = settings.Scale;
        ThroughVocabulary(Operation, hidden, weight, ids, settings.Temperature, logProbs, entropies, hiddenGradient, weightGradient, (t, logProb) =>
        {
            (loss[t], flag[t], double slope) = PolicyTerm(logProb, old[t], advantage[t], clip);
            return scale * slope;
        });
        TensorIO.WriteRow(losses, 0, loss);
        TensorIO.WriteRow(clipped, 0, flag);
    }

    // The loss of a token, whether its clipped form is strictly larger, and its derivative with respect to the log-probability.
    internal static (double Loss, double Clipped, double Slope) PolicyTerm(double logProb, double old, double advantage, double clip)
    {
        double ratio = Math.Exp(logProb - old), plain = -advantage * ratio, bounded = -advantage * Math.Clamp(ratio, 1 - clip, 1 + clip);
        return bounded > plain ? (bounded, 1, 0) : (plain, 0, plain);
    }

    // Log-probabilities in float64; slope(t, log-probability) is d(objective)/d(log-probability).
    private static void ThroughVocabulary(string operation, Tensor hidden, Tensor weight, Tensor ids, float temperature, Tensor logProbs, Tensor entropies, Tensor hiddenGradient,
        Tensor weightGradient, Func<int, double, double> slope)
    {
        Check.Type(operation, nameof(hidden), hidden, DType.F32);
        Check.Type(operation, nameof(weight), weight, DType.F32, DType.BF16);
        Check.Shape(operation, nameof(weight), weight, weight.DType, weight.Rows, hidden.Columns);
        Check.Shape(operation, nameof(ids), ids, DType.I32, 1, hidden.Rows);
        Check.Shape(operation, nameof(logProbs), logProbs, DType.F32, 1, hidden.Rows);
        Check.That(temperature > 0, operation, $"a temperature of {temperature}");
        foreach (var (name, tensor, rows, columns) in new[]
        {
            (nameof(entropies), entropies, 1, hidden.Rows), (nameof(hiddenGradient), hiddenGradient, hidden.Rows, hidden.Columns), (nameof(weightGradient), weightGradient, weight.Rows, weight.Columns),
        })
        {
            if (!tensor.IsNone)
            {
                Check.Shape(operation, name, tensor, DType.F32, rows, columns);
            }
        }

        int[] id = TensorIO.ReadInts(ids);
        double[][] w = TensorIO.ReadRows(weight);
        double[][]? dw = weightGradient.IsNone ? null : TensorIO.ReadRows(weightGradient);
        double[] logs = new double[hidden.Rows], entropy = new double[hidden.Rows];
        for (int t = 0; t < hidden.Rows; t++)
        {
            Check.Index(operation, nameof(ids), id[t], weight.Rows);
            double[] h = TensorIO.ReadRow(hidden, t), row = LogSoftmax([.. h.Select(x => x / temperature)], w), dh = new double[h.Length];
            logs[t] = row[id[t]];
            entropy[t] = -row.Sum(log => double.IsNegativeInfinity(log) ? 0 : Math.Exp(log) * log);
            double s = slope(t, logs[t]) / temperature;
            for (int v = 0; v < w.Length; v++)
            {
                double d = s * ((v == id[t] ? 1 : 0) - Math.Exp(row[v]));
                AddTo(dh, w[v], d);
                if (dw is not null)
                {
                    AddTo(dw[v], h, d);
                }
            }

            if (!hiddenGradient.IsNone)
            {
                TensorIO.WriteRow(hiddenGradient, t, dh);
            }
        }

        TensorIO.WriteRow(logProbs, 0, logs);
        if (!entropies.IsNone)
        {
            TensorIO.WriteRow(entropies, 0, entropy);
        }

        for (int v = 0; dw is not null && v < dw.Length; v++)
        {
            TensorIO.WriteRow(weightGradient, v, dw[v]);
        }
    }
}
