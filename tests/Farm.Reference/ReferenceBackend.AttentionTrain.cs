using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void AttentionTrain(Tensor qkv, int queryHeads, int kvHeads, Tensor starts, float scale, Tensor output, Tensor logSumExp)
    {
        const string Operation = nameof(AttentionTrain);
        int[] start = CheckPacked(Operation, qkv, queryHeads, kvHeads, starts, output, logSumExp);
        var (o, lse) = CausalAttention(TensorIO.ReadRows(qkv), queryHeads, kvHeads, start, scale);
        for (int t = 0; t < qkv.Rows; t++)
        {
            TensorIO.WriteRow(output, t, o[t]);
            TensorIO.WriteRow(logSumExp, t, lse[t]);
        }
    }

    // o_i = sum over j <= i of softmax_j(scale q_i . k_j) v_j, per head and sequence; lse_i = log sum exp of the scaled scores.
    internal static (double[][] Output, double[][] LogSumExp) CausalAttention(double[][] qkv, int queryHeads, int kvHeads, int[] start,
        double scale)
    {
        int headDim = qkv.Length == 0 ? 0 : qkv[0].Length / (queryHeads + (2 * kvHeads));
        double[][] output = [.. qkv.Select(_ => new double[queryHeads * headDim])], lse = [.. qkv.Select(_ => new double[queryHeads])];
        for (int s = 0; s + 1 < start.Length; s++)
        {
            for (int i = start[s]; i < start[s + 1]; i++)
            {
                for (int head = 0; head < queryHeads; head++)
                {
                    double[] p = Scores(qkv, queryHeads, kvHeads, head, headDim, start[s], i, scale);
                    double largest = p.Max(), sum = p.Sum(x => Math.Exp(x - largest));
                    lse[i][head] = largest + Math.Log(sum);
                    for (int j = 0; j < p.Length; j++)
                    {
                        int value = (queryHeads + kvHeads + (head / (queryHeads / kvHeads))) * headDim;
                        AddTo(output[i].AsSpan(head * headDim, headDim), qkv[start[s] + j].AsSpan(value, headDim),
                            Math.Exp(p[j] - largest) / sum);
                    }
                }
            }
        }

        return (output, lse);
    }

    // The scaled scores of query row i against the rows first .. i of its sequence.
    internal static double[] Scores(double[][] qkv, int queryHeads, int kvHeads, int head, int headDim, int first, int i, double scale)
    {
        int key = (queryHeads + (head / (queryHeads / kvHeads))) * headDim;
        var scores = new double[i - first + 1];
        for (int j = 0; j < scores.Length; j++)
        {
            scores[j] = scale * Dot(qkv[i].AsSpan(head * headDim, headDim), qkv[first + j].AsSpan(key, headDim));
        }

        return scores;
    }

    private static int[] CheckPacked(string operation, Tensor qkv, int queryHeads, int kvHeads, Tensor starts, Tensor output,
        Tensor logSumExp)
    {
        Check.Type(operation, nameof(qkv), qkv, DType.F32);
        Check.That(kvHeads > 0 && queryHeads > 0 && queryHeads % kvHeads == 0, operation, $"{queryHeads} query heads over {kvHeads} key heads");
        int headDim = qkv.Columns / (queryHeads + (2 * kvHeads));
        Check.Shape(operation, nameof(qkv), qkv, DType.F32, qkv.Rows, headDim * (queryHeads + (2 * kvHeads)));
        Check.Shape(operation, nameof(output), output, DType.F32, qkv.Rows, queryHeads * headDim);
        Check.Shape(operation, nameof(logSumExp), logSumExp, DType.F32, qkv.Rows, queryHeads);
        Check.That(starts.Columns >= 1, operation, "starts is empty");
        Check.Shape(operation, nameof(starts), starts, DType.I32, 1, starts.Columns);
        int[] start = TensorIO.ReadInts(starts);
        bool ordered = start.Zip(start.Skip(1)).All(pair => pair.First <= pair.Second);
        Check.That(start[0] == 0 && ordered && start[^1] == qkv.Rows, operation, $"starts do not divide 0 .. {qkv.Rows}");
        return start;
    }
}
