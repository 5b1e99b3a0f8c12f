using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void Attention(Tensor queries, int queryHeads, KvPool pool, int layer, AttentionPlan plan, float scale, Tensor output)
    {
        const string Operation = nameof(Attention);
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentNullException.ThrowIfNull(plan);
        int kvHeads = pool.Shape.KeyValueHeads, headDim = pool.Shape.HeadDim;
        var own = OwnPool(Operation, pool, kvHeads, headDim, layer);
        Check.That(queryHeads > 0 && queryHeads % kvHeads == 0, Operation, $"{queryHeads} query heads over {kvHeads} key heads");
        Check.Shape(Operation, nameof(queries), queries, DType.F32, plan.QueryRows, queryHeads * headDim);
        Check.Shape(Operation, nameof(output), output, DType.F32, plan.QueryRows, queryHeads * headDim);

        for (int g = 0; g < plan.Groups; g++)
        {
            for (int s = plan.SequenceStart[g]; s < plan.SequenceStart[g + 1]; s++)
            {
                int count = plan.QueryStart[s + 1] - plan.QueryStart[s];
                Check.That(count <= plan.SuffixLength[s], Operation,
                    $"sequence {s} has {count} query rows but a suffix of {plan.SuffixLength[s]}");
                for (int i = 0; i < count; i++)
                {
                    int row = plan.QueryStart[s] + i;
                    int[] visible = VisibleSlots(plan, g, s, plan.SuffixLength[s] - count + i + 1);
                    double[] result = new double[queryHeads * headDim], query = TensorIO.ReadRow(queries, row);
                    for (int head = 0; head < queryHeads; head++)
                    {
                        int kvHead = head / (queryHeads / kvHeads);
                        Attend(query.AsSpan(head * headDim, headDim), own, layer, kvHead, visible, scale,
                            result.AsSpan(head * headDim, headDim));
                    }

                    TensorIO.WriteRow(output, row, result);
                }
            }
        }
    }

    // The whole prefix of the group and the first suffixCount tokens of the sequence's suffix.
    private static int[] VisibleSlots(AttentionPlan plan, int group, int sequence, int suffixCount)
    {
        int prefix = plan.PrefixLength[group];
        var slots = new int[prefix + suffixCount];
        for (int j = 0; j < prefix; j++)
        {
            slots[j] = Slot(plan.PrefixPages, plan.PrefixPageStart[group], j);
        }

        for (int j = 0; j < suffixCount; j++)
        {
            slots[prefix + j] = Slot(plan.SuffixPages, plan.SuffixPageStart[sequence], j);
        }

        return slots;
    }

    private static int Slot(int[] pages, int firstPage, int token) =>
        (pages[firstPage + (token / KvPool.PageTokens)] * KvPool.PageTokens) + (token % KvPool.PageTokens);

    // o = sum_j softmax_j(scale * q . k_j) v_j over the visible keys, the maximum found in a first pass.
    private static void Attend(ReadOnlySpan<double> q, ReferenceKvPool pool, int layer, int head, int[] visible, double scale,
        Span<double> o)
    {
        var weights = new double[visible.Length];
        double largest = double.NegativeInfinity, total = 0;
        for (int j = 0; j < visible.Length; j++)
        {
            var key = pool.Key(layer, visible[j], head);
            double score = 0;
            for (int i = 0; i < q.Length; i++)
            {
                score += q[i] * key[i];
            }

            weights[j] = score * scale;
            largest = Math.Max(largest, weights[j]);
        }

        for (int j = 0; j < visible.Length; j++)
        {
            total += weights[j] = Math.Exp(weights[j] - largest);
        }

        for (int j = 0; j < visible.Length; j++)
        {
            var value = pool.Value(layer, visible[j], head);
            for (int i = 0; i < o.Length; i++)
            {
                o[i] += weights[j] / total * value[i];
            }
        }
    }
}
