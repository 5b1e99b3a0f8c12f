using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void AttentionBackward(Tensor qkv, int queryHeads, int kvHeads, Tensor starts, float scale, Tensor output, Tensor logSumExp,
        Tensor outputGradient, Tensor qkvGradient)
    {
        const string Operation = nameof(AttentionBackward);
        int[] start = CheckPacked(Operation, qkv, queryHeads, kvHeads, starts, output, logSumExp);
        Check.Shape(Operation, nameof(outputGradient), outputGradient, DType.F32, output.Rows, output.Columns);
        Check.Shape(Operation, nameof(qkvGradient), qkvGradient, DType.F32, qkv.Rows, qkv.Columns);
        double[][] gradient = CausalAttentionBackward(TensorIO.ReadRows(qkv), queryHeads, kvHeads, start, scale, TensorIO.ReadRows(output),
            TensorIO.ReadRows(logSumExp), TensorIO.ReadRows(outputGradient));
        for (int t = 0; t < gradient.Length; t++)
        {
            TensorIO.WriteRow(qkvGradient, t, gradient[t]);
        }
    }

    // p_ij = exp(s_ij - lse_i), ds_ij = p_ij (g_i . v_j - g_i . o_i); dv_j = sum_i p_ij g_i, dq_i = scale sum_j ds_ij k_j and
    // dk_j = scale sum_i ds_ij q_i, the sums over i also over the query heads that share a key head.
    internal static double[][] CausalAttentionBackward(double[][] qkv, int queryHeads, int kvHeads, int[] start, double scale,
        double[][] output, double[][] lse, double[][] outputGradient)
    {
        int headDim = qkv.Length == 0 ? 0 : qkv[0].Length / (queryHeads + (2 * kvHeads));
        double[][] gradient = [.. qkv.Select(row => new double[row.Length])];
        for (int s = 0; s + 1 < start.Length; s++)
        {
            for (int i = start[s]; i < start[s + 1]; i++)
            {
                for (int head = 0; head < queryHeads; head++)
                {
                    int kvHead = head / (queryHeads / kvHeads), query = head * headDim;
                    int key = (queryHeads + kvHead) * headDim, value = (queryHeads + kvHeads + kvHead) * headDim;
                    var g = outputGradient[i].AsSpan(query, headDim);
                    double own = Dot(g, output[i].AsSpan(query, headDim));
                    double[] p = Scores(qkv, queryHeads, kvHeads, head, headDim, start[s], i, scale);
                    for (int j = 0; j < p.Length; j++)
                    {
                        int row = start[s] + j;
                        p[j] = Math.Exp(p[j] - lse[i][head]);
                        double ds = p[j] * (Dot(g, qkv[row].AsSpan(value, headDim)) - own);
                        AddTo(gradient[row].AsSpan(value, headDim), g, p[j]);
                        AddTo(gradient[i].AsSpan(query, headDim), qkv[row].AsSpan(key, headDim), scale * ds);
                        AddTo(gradient[row].AsSpan(key, headDim), qkv[i].AsSpan(query, headDim), scale * ds);
                    }
                }
            }
        }

        return gradient;
    }
}
