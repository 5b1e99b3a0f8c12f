using Farm.Core;

namespace Farm.Reference.Tests;

/// <summary>A fault of the kind that kernels have.</summary>
public enum Fault
{
    None,
    LinearDropsTheLastFeature,
    LinearRoundsActivationsToBfloat16,
    LinearForgetsAccumulation,
    LinearForgetsBias,
    LinearWritesBeside,
    LinearLeavesTheLastRow,
    LinearDependsOnTheBatch,
    IntegerLinearSharesOneScaleForTheRow,
    PackAcceptsNaN,
    RmsNormForgetsEpsilon,
    RopePairsNeighbours,
    AttentionSeesTheFuture,
    AttentionForgetsThePrefix,
    AttentionScalesTwice,
    AttentionInterleavesKeyHeads,
    SampleIgnoresTheSampleIndex,
    SampleOrdersByProbability,
    SampleReportsTheTemperedLogProb,
    SampleKeepsOneTokenTooMany,
    EntropyInBits,
    CopyTruncates,
    ThreadsChangeTheResult,
}

/// <summary>The reference with one fault put in, to show that the suite notices it.</summary>
public class FaultyBackend(Fault fault, int threads) : IBackend
{
    private readonly ReferenceBackend _right = new();

    public string Name => "faulty";

    public DeviceMemory Allocate(long bytes) => _right.Allocate(bytes);

    public void Upload<T>(ReadOnlySpan<T> source, Tensor destination)
        where T : unmanaged => _right.Upload(source, destination);

    public void Download<T>(Tensor source, Span<T> destination)
        where T : unmanaged => _right.Download(source, destination);

    public void Synchronize() => _right.Synchronize();

    public void GatherRows(Tensor input, Tensor rows, Tensor output) => _right.GatherRows(input, rows, output);

    public KvPool CreateKvPool(KvShape shape, int pages) => _right.CreateKvPool(shape, pages);

    public void Embedding(Tensor ids, Tensor table, Tensor output) => _right.Embedding(ids, table, output);

    public void Embedding(Tensor ids, LinearWeight table, Tensor output) => _right.Embedding(ids, table, output);

    public void Dispose()
    {
        _right.Dispose();
        GC.SuppressFinalize(this);
    }

    public void Copy(Tensor source, Tensor destination)
    {
        _right.Copy(source, destination);
        if (fault == Fault.CopyTruncates && source.DType == DType.F32 && destination.DType == DType.BF16)
        {
            Edit(source, destination, (row, x) => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(x) & 0xFFFF0000));
        }
    }

    public LinearWeight PackLinear(IReadOnlyList<IRowSource> parts, DType storage, LinearLayout layout = LinearLayout.Concatenated) =>
        fault == Fault.PackAcceptsNaN && storage == DType.I8
            ? _right.PackLinear([.. parts.Select(p => new WithoutNaN(p))], storage, layout)
            : _right.PackLinear(parts, storage, layout);

    public void RmsNorm(Tensor input, Tensor weight, float epsilon, Tensor output) =>
        _right.RmsNorm(input, weight, fault == Fault.RmsNormForgetsEpsilon ? 0 : epsilon, output);

    public void Linear(Tensor input, LinearWeight weight, Tensor output, Tensor bias = default, bool accumulate = false,
        Tensor normWeight = default, float normEpsilon = 0f)
    {
        using var hand = new HandBackend();
        Tensor x = input;
        if (input.Count > 0 && (fault is Fault.LinearDropsTheLastFeature or Fault.LinearRoundsActivationsToBfloat16
            or Fault.IntegerLinearSharesOneScaleForTheRow or Fault.LinearDependsOnTheBatch || (fault == Fault.ThreadsChangeTheResult
                && threads == 3)))
        {
            x = hand.Output(input.Rows, input.Columns);
            Edit(input, x, Changed(input, weight));
        }

        bool leave = fault == Fault.LinearLeavesTheLastRow && input.Rows > 1;
        _right.Linear(leave ? x.SliceRows(0, x.Rows - 1) : x, weight, leave ? output.SliceRows(0, output.Rows - 1) : output,
            fault == Fault.LinearForgetsBias ? default : bias, accumulate && fault != Fault.LinearForgetsAccumulation, normWeight,
                normEpsilon);
        if (fault == Fault.LinearWritesBeside && output.Stride > output.Columns && output.Rows > 0)
        {
            var beside = new Tensor(output.Address + (output.Columns * sizeof(float)), DType.F32, 1, 1, 1);
            _right.Upload<float>([0f], beside);
        }
    }

    public void RopeAppendKv(Tensor qkv, int queryHeads, int kvHeads, Tensor positions, Tensor cosine, Tensor sine, KvPool? pool,
        int layer, Tensor slots)
    {
        if (fault != Fault.RopePairsNeighbours)
        {
            _right.RopeAppendKv(qkv, queryHeads, kvHeads, positions, cosine, sine, pool, layer, slots);
            return;
        }

        // Neighbours paired is halves paired after a shuffle of each head, shuffled back; here the shuffle back is forgotten.
        int head = 2 * cosine.Columns;
        for (int t = 0; t < qkv.Rows; t++)
        {
            float[] row = Read(qkv.SliceRows(t, 1));
            float[] shuffled = [.. row.Select((_, i) => row[(i / head * head) + (i % head < head / 2 ? 2 * (i % head)
                : (2 * (i % head)) - head + 1)])];
            _right.Upload<float>(shuffled, qkv.SliceRows(t, 1) with { Stride = qkv.Columns });
        }

        _right.RopeAppendKv(qkv, queryHeads, kvHeads, positions, cosine, sine, pool, layer, slots);
    }

    public void Attention(Tensor queries, int queryHeads, KvPool pool, int layer, AttentionPlan plan, float scale, Tensor output)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(pool);
        var changed = new AttentionPlan(plan.Groups, plan.QueryRows, plan.PrefixPages.Length + (plan.QueryRows * plan.SuffixPages.Length));
        changed.Clear();
        for (int g = 0; g < plan.Groups; g++)
        {
            int prefix = fault == Fault.AttentionForgetsThePrefix ? 0 : plan.PrefixLength[g];
            changed.BeginGroup(prefix, plan.PrefixPages.AsSpan(plan.PrefixPageStart[g]));
            for (int s = plan.SequenceStart[g]; s < plan.SequenceStart[g + 1]; s++)
            {
                int rows = plan.QueryStart[s + 1] - plan.QueryStart[s];
                if (fault == Fault.AttentionSeesTheFuture)
                {
                    // Each row as a sequence of its own that sees the whole suffix.
                    for (int i = 0; i < rows; i++)
                    {
                        changed.AddSequence(1, plan.SuffixLength[s], plan.SuffixPages.AsSpan(plan.SuffixPageStart[s]));
                    }
                }
                else
                {
                    changed.AddSequence(rows, plan.SuffixLength[s], plan.SuffixPages.AsSpan(plan.SuffixPageStart[s]));
                }
            }
        }

        float used = fault == Fault.AttentionScalesTwice ? scale * scale : scale;
        if (fault == Fault.AttentionInterleavesKeyHeads && queries.Rows > 0)
        {
            // Query head h reads key head h % kvHeads instead of h / (queryHeads / kvHeads).
            int d = pool.Shape.HeadDim, kv = pool.Shape.KeyValueHeads, ratio = queryHeads / Math.Max(kv, 1);
            using var hand = new HandBackend();
            Tensor q = hand.Output(queries.Rows, queries.Columns), o = hand.Output(output.Rows, output.Columns);
            for (int h = 0; h < queryHeads && queryHeads % kv == 0; h++)
            {
                _right.Copy(queries.SliceColumns(h * d, d), q.SliceColumns(((h % kv * ratio) + (h / kv)) * d, d));
            }

            _right.Attention(q, queryHeads, pool, layer, changed, used, o);
            for (int h = 0; h < queryHeads; h++)
            {
                _right.Copy(o.SliceColumns(((h % kv * ratio) + (h / kv)) * d, d), output.SliceColumns(h * d, d));
            }

            return;
        }

        _right.Attention(queries, queryHeads, pool, layer, changed, used, output);
    }

    public void Sample(Tensor logits, SamplingParameters parameters, ulong seed, Tensor keys, Tensor tokens, Tensor logprobs,
        Tensor seen = default)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (fault == Fault.SampleKeepsOneTokenTooMany && parameters.TopK > 0)
        {
            parameters = parameters with { TopK = parameters.TopK + 1 };
        }

        using var hand = new HandBackend();
        Tensor used = keys;
        if (fault == Fault.SampleIgnoresTheSampleIndex && keys.Columns == 3)
        {
            used = hand.Ints(keys.Rows, [.. hand.ReadInts(keys).Select((k, i) => i % 3 == 1 ? 0 : k)]);
        }

        _right.Sample(logits, parameters, seed, used, tokens, logprobs, seen);
        for (int b = 0; b < logits.Rows && parameters.Temperature > 0; b++)
        {
            float[] row = Read(logits.SliceRows(b, 1));
            if (fault == Fault.SampleOrdersByProbability && seen.IsNone)
            {
                int[] key = hand.ReadInts(keys.SliceRows(b, 1));
                double[] p = ReferenceSampler.Probabilities(row, parameters);
                int[] ranked = [.. Enumerable.Range(0, p.Length).OrderByDescending(t => p[t])];
                int rank = ReferenceSampler.Draw([.. ranked.Select(t => p[t])], Philox.Uniform(seed, (uint)key[0], (uint)key[1],
                    (uint)key[2]));
                _right.Upload<int>([ranked[rank]], tokens.SliceColumns(b, 1));
                _right.Upload<float>([(float)ReferenceSampler.LogSoftmax(row)[ranked[rank]]], logprobs.SliceColumns(b, 1));
            }

            if (fault == Fault.SampleReportsTheTemperedLogProb)
            {
                int token = hand.ReadInts(tokens)[b];
                _right.Upload<float>([(float)ReferenceSampler.LogSoftmax(row, parameters.Temperature)[token]], logprobs.SliceColumns(b, 1));
            }
        }
    }

    public void LogProbGather(Tensor logits, Tensor ids, float temperature, Tensor logprobs, Tensor entropy = default)
    {
        _right.LogProbGather(logits, ids, temperature, logprobs, entropy);
        if (fault == Fault.EntropyInBits && !entropy.IsNone)
        {
            Edit(entropy, entropy, (_, x) => x / MathF.Log(2));
        }
    }

    private Func<int, float, float> Changed(Tensor input, LinearWeight weight)
    {
        int column = 0;
        float[] largest = [.. Enumerable.Range(0, input.Rows).Select(t => Read(input.SliceRows(t, 1)).Max(MathF.Abs))];
        return (row, x) =>
        {
            int c = column++ % input.Columns;
            return fault switch
            {
                Fault.LinearDropsTheLastFeature => c == input.Columns - 1 ? 0 : x,
                Fault.LinearRoundsActivationsToBfloat16 => BFloat16.Round(x),
                Fault.IntegerLinearSharesOneScaleForTheRow => weight.DType == DType.I8
                    ? MathF.Round(x / largest[row] * 127) * largest[row] / 127 : x,
                Fault.LinearDependsOnTheBatch => input.Rows > 16 ? x * (1 + 2.4e-7f) : x,
                _ => x * (1 + 2.4e-7f),
            };
        };
    }

    private float[] Read(Tensor row)
    {
        var values = new float[row.Columns];
        _right.Download(row with { Stride = row.Columns }, values.AsSpan());
        return values;
    }

    private void Edit(Tensor source, Tensor destination, Func<int, float, float> change)
    {
        for (int t = 0; t < source.Rows; t++)
        {
            float[] row = [.. Read(source.SliceRows(t, 1)).Select(x => change(t, x))];
            Tensor to = destination.SliceRows(t, 1) with { Stride = destination.Columns };
            if (destination.DType == DType.BF16)
            {
                _right.Upload<ushort>(Array.ConvertAll(row, BFloat16.Bits), to);
            }
            else
            {
                _right.Upload<float>(row, to);
            }
        }
    }

    private sealed class WithoutNaN(IRowSource source) : IRowSource
    {
        public string Name => source.Name;

        public int Rows => source.Rows;

        public int Columns => source.Columns;

        public DType DType => source.DType;

        public void Read(int firstRow, int count, Span<byte> destination)
        {
            source.Read(firstRow, count, destination);
            if (DType == DType.F32)
            {
                foreach (ref float x in System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(destination))
                {
                    x = float.IsNaN(x) ? 0 : x;
                }
            }
        }
    }
}
