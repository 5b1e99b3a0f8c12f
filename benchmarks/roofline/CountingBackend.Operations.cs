using System.Globalization;
using System.Runtime.InteropServices;
using Farm.Core;
using Farm.Cuda;

namespace Farm.Roofline;

internal sealed partial class CountingBackend
{
    // Vocabularies above this are counted at fewer columns.
    private const int MostColumns = 32768;

    // Elementwise kernels and sums over flat views: so many rows fill every block of them.
    private static Extent Flat(int rows) => new(rows, 1024, 2048, 2048);

    private readonly Dictionary<string, int> _plans = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public void Copy(Tensor source, Tensor destination) =>
        Count("copy", Flat(source.Rows), Extent.Whole(0), $"{source.Rows} rows, {source.Columns} columns, {source.DType.Name()} to {destination.DType.Name()}",
            (n, _) => _inner.Copy(source.SliceRows(0, n), destination.SliceRows(0, n)));

    /// <inheritdoc/>
    public void GatherRows(Tensor input, Tensor rows, Tensor output) =>
        Count("gather-rows", $"{Of(output)}", () => _inner.GatherRows(input, rows, output));

    /// <inheritdoc/>
    public void Embedding(Tensor ids, Tensor table, Tensor output) =>
        CountRows("embedding", output.Rows, $"from {Of(table)}", n => _inner.Embedding(ids.SliceColumns(0, n), table, output.SliceRows(0, n)));

    /// <inheritdoc/>
    public void Embedding(Tensor ids, LinearWeight table, Tensor output)
    {
        ArgumentNullException.ThrowIfNull(table);
        CountRows("embedding", output.Rows, $"from a packed {table.DType.Name()} weight", n => _inner.Embedding(ids.SliceColumns(0, n), table, output.SliceRows(0, n)));
    }

    /// <inheritdoc/>
    public void RmsNorm(Tensor input, Tensor weight, float epsilon, Tensor output) =>
        CountRows("rms-norm", input.Rows, $"{input.Columns} columns", n => _inner.RmsNorm(input.SliceRows(0, n), weight, epsilon, output.SliceRows(0, n)));

    /// <inheritdoc/>
    public void Linear(Tensor input, LinearWeight weight, Tensor output, Tensor bias = default, bool accumulate = false, Tensor normWeight = default, float normEpsilon = 0f)
    {
        ArgumentNullException.ThrowIfNull(weight);
        string shape = string.Create(CultureInfo.InvariantCulture,
            $"{weight.InFeatures} to {weight.OutFeatures}{(weight.Layout == LinearLayout.GateUp ? " gate and up" : string.Empty)}, {weight.DType.Name()}{(normWeight.IsNone ? string.Empty : ", norm")}{(accumulate ? ", added" : string.Empty)}");
        // Narrower weights of a skinny product still give every multiprocessor a block of 64 columns, so that the same kernel runs.
        var columns = new Extent(weight.OutFeatures, 9216, 18432, MostColumns);
        Count("linear", Extent.Rows(input.Rows), columns, $"{input.Rows} rows, {shape}", (m, n) =>
        {
            var used = n == weight.OutFeatures ? weight : Blank(weight.InFeatures, n, weight.DType, weight.Layout);
            _inner.Linear(input.SliceRows(0, m), used, output.SliceRows(0, m).SliceColumns(0, n), bias, accumulate, normWeight, normEpsilon);
            _inner.Synchronize();
            if (!ReferenceEquals(used, weight))
            {
                used.Dispose();
            }
        });
    }

    /// <inheritdoc/>
    public void RopeAppendKv(Tensor qkv, int queryHeads, int kvHeads, Tensor positions, Tensor cosine, Tensor sine, KvPool? pool, int layer, Tensor slots) =>
        CountRows("rope-append-kv", qkv.Rows, $"{queryHeads}+{kvHeads} heads of {2 * cosine.Columns}{(pool is null ? ", no pages" : $", {pool.Shape.DType.Name()} pages")}",
            n => _inner.RopeAppendKv(qkv.SliceRows(0, n), queryHeads, kvHeads, positions.SliceColumns(0, n), cosine, sine, pool, layer, pool is null ? slots : slots.SliceColumns(0, n)));

    /// <inheritdoc/>
    public void Attention(Tensor queries, int queryHeads, KvPool pool, int layer, AttentionPlan plan, float scale, Tensor output)
    {
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentNullException.ThrowIfNull(plan);
        // Equal plans are equal counts; the whole plan is the key, its extremes what is shown.
        var hash = new HashCode();
        for (int s = 0; s < plan.Sequences; s++)
        {
            hash.Add(plan.SuffixLength[s]);
            hash.Add(plan.QueryStart[s + 1]);
        }

        for (int g = 0; g < plan.Groups; g++)
        {
            hash.Add(plan.PrefixLength[g]);
            hash.Add(plan.SequenceStart[g + 1]);
        }

        string key = string.Create(CultureInfo.InvariantCulture,
            $"{plan.QueryRows} rows, {plan.Groups} groups, {plan.Sequences} sequences, prefix {plan.PrefixLength[0]}, suffix {plan.SuffixLength[plan.Sequences - 1]}, {queryHeads}/{pool.Shape.KeyValueHeads} heads of {pool.Shape.HeadDim}");
        if (_plans.TryGetValue(key, out int known) ? known != hash.ToHashCode() : !_plans.TryAdd(key, hash.ToHashCode()))
        {
            throw new InvalidOperationException($"Two attention plans are both described as {key}.");
        }

        Count("attention", key, () => _inner.Attention(queries, queryHeads, pool, layer, plan, scale, output));
    }

    /// <inheritdoc/>
    public void Sample(Tensor logits, SamplingParameters parameters, ulong seed, Tensor keys, Tensor tokens, Tensor logprobs, Tensor seen = default) =>
        Count("sample", Of(logits), () => _inner.Sample(logits, parameters, seed, keys, tokens, logprobs, seen));

    /// <inheritdoc/>
    public void LogProbGather(Tensor logits, Tensor ids, float temperature, Tensor logprobs, Tensor entropy = default) =>
        Count("log-prob-gather", Of(logits), () => _inner.LogProbGather(logits, ids, temperature, logprobs, entropy));

    /// <inheritdoc/>
    public void MatMul(Tensor a, bool transposeA, Tensor b, bool transposeB, Tensor c, bool accumulate = false)
    {
        string shape = string.Create(CultureInfo.InvariantCulture,
            $"{Of(a)}{(transposeA ? "T" : string.Empty)} x {Of(b)}{(transposeB ? "T" : string.Empty)}{(accumulate ? ", added" : string.Empty)}");
        using var side = Side(c.Rows, transposeB ? b.Rows : b.Columns);
        // A weight gradient sums over rows; every other product has a row of its own for each.
        CountRows("matmul", a.Rows, shape, n => _inner.MatMul(a.SliceRows(0, n), transposeA, transposeA ? b.SliceRows(0, n) : b, transposeB, transposeA ? c : c.SliceRows(0, n), accumulate));
    }

    /// <inheritdoc/>
    public void AddBias(Tensor bias, Tensor output) => CountRows("add-bias", output.Rows, $"{output.Columns} columns", n => _inner.AddBias(bias, output.SliceRows(0, n)));

    /// <inheritdoc/>
    public void SumRows(Tensor input, Tensor sum) => Count("sum-rows", Of(input), () => _inner.SumRows(input, sum));

    /// <inheritdoc/>
    public void Scale(Tensor source, float scale, Tensor destination, bool accumulate = false) =>
        Count("scale", Flat(source.Rows), Extent.Whole(0), $"{source.Rows} rows, {source.Columns} columns{(accumulate ? ", added" : string.Empty)}",
            (n, _) => _inner.Scale(source.SliceRows(0, n), scale, destination.SliceRows(0, n), accumulate));

    /// <inheritdoc/>
    public void RmsNormBackward(Tensor input, Tensor weight, float epsilon, Tensor outputGradient, Tensor inputGradient, Tensor weightGradient) =>
        Count("rms-norm-backward", new Extent(input.Rows, 256, 512, 512), Extent.Whole(0), $"{input.Rows} rows, {input.Columns} columns", (n, _) => _inner.RmsNormBackward(
            input.SliceRows(0, n), weight, epsilon, outputGradient.SliceRows(0, n), inputGradient.SliceRows(0, n), weightGradient));

    /// <inheritdoc/>
    public void RopeBackward(Tensor qkvGradient, int queryHeads, int kvHeads, Tensor positions, Tensor cosine, Tensor sine) =>
        CountRows("rope-backward", qkvGradient.Rows, $"{queryHeads}+{kvHeads} heads of {2 * cosine.Columns}",
            n => _inner.RopeBackward(qkvGradient.SliceRows(0, n), queryHeads, kvHeads, positions.SliceColumns(0, n), cosine, sine));

    /// <inheritdoc/>
    public void AttentionTrain(Tensor qkv, int queryHeads, int kvHeads, Tensor starts, float scale, Tensor output, Tensor logSumExp) =>
        CountSequences("attention-train", qkv, queryHeads, kvHeads, starts, (n, s) =>
            _inner.AttentionTrain(qkv.SliceRows(0, n), queryHeads, kvHeads, s, scale, output.SliceRows(0, n), logSumExp.SliceRows(0, n)));

    /// <inheritdoc/>
    public void AttentionBackward(
        Tensor qkv, int queryHeads, int kvHeads, Tensor starts, float scale, Tensor output, Tensor logSumExp, Tensor outputGradient, Tensor qkvGradient) =>
        CountSequences("attention-backward", qkv, queryHeads, kvHeads, starts, (n, s) => _inner.AttentionBackward(qkv.SliceRows(0, n), queryHeads, kvHeads, s, scale,
            output.SliceRows(0, n), logSumExp.SliceRows(0, n), outputGradient.SliceRows(0, n), qkvGradient.SliceRows(0, n)));

    /// <inheritdoc/>
    public void SwiGlu(Tensor gateUp, Tensor output) => CountRows("swiglu", output.Rows, $"{output.Columns} columns", n => _inner.SwiGlu(gateUp.SliceRows(0, n), output.SliceRows(0, n)));

    /// <inheritdoc/>
    public void SwiGluBackward(Tensor gateUp, Tensor outputGradient, Tensor gateUpGradient) =>
        CountRows("swiglu-backward", outputGradient.Rows, $"{outputGradient.Columns} columns",
            n => _inner.SwiGluBackward(gateUp.SliceRows(0, n), outputGradient.SliceRows(0, n), gateUpGradient.SliceRows(0, n)));

    /// <inheritdoc/>
    public void EmbeddingBackward(Tensor ids, Tensor outputGradient, Tensor tableGradient) =>
        Count("embedding-backward", $"{Of(outputGradient)} into {Of(tableGradient)}", () => _inner.EmbeddingBackward(ids, outputGradient, tableGradient));

    /// <inheritdoc/>
    public void LinearCrossEntropy(Tensor hidden, Tensor weight, Tensor labels, Tensor scales, Tensor losses, Tensor hiddenGradient = default, Tensor weightGradient = default)
    {
        using var side = Side(hidden.Rows, hidden.Columns);
        // The vocabulary is walked in chunks of 8192, each the same work but for the last, whose logits are not made twice.
        var vocabulary = new Extent(weight.Rows, 8192, 16384, MostColumns);
        string shape = $"{hidden.Rows} rows, {hidden.Columns} to {weight.Rows}, {weight.DType.Name()}{(hiddenGradient.IsNone ? string.Empty : ", gradients")}";
        Count("linear-cross-entropy", Extent.Rows(hidden.Rows), vocabulary, shape, (m, n) =>
            _inner.LinearCrossEntropy(hidden.SliceRows(0, m), weight.SliceRows(0, n), labels.SliceColumns(0, m), scales.SliceColumns(0, m), losses.SliceColumns(0, m),
                hiddenGradient.IsNone ? default : hiddenGradient.SliceRows(0, m), weightGradient.IsNone ? default : weightGradient.SliceRows(0, n)));
    }

    /// <inheritdoc/>
    public double SumOfSquares(Tensor tensor)
    {
        Count("sum-of-squares", Flat(tensor.Rows), Extent.Whole(0), $"{tensor.Rows} rows, {tensor.Columns} columns", (n, _) => _inner.SumOfSquares(tensor.SliceRows(0, n)));
        return 1;
    }

    /// <inheritdoc/>
    public void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep update)
    {
        var step = update;
        Count("adamw", Flat(parameter.Rows), Extent.Whole(0), $"{parameter.Rows} rows, {parameter.Columns} columns", (n, _) => _inner.AdamW(
            parameter.SliceRows(0, n), gradient.SliceRows(0, n), firstMoment.SliceRows(0, n), secondMoment.SliceRows(0, n), step));
    }

    // One and two sequences stand for more of them: every sequence of a pass is as long.
    private void CountSequences(string op, Tensor qkv, int queryHeads, int kvHeads, Tensor starts, Action<int, Tensor> run)
    {
        int tokens = SequenceTokens > 0 ? SequenceTokens : qkv.Rows / (starts.Columns - 1);
        if (tokens * (starts.Columns - 1) != qkv.Rows)
        {
            throw new InvalidOperationException($"{op}: {qkv.Rows} rows are not sequences of {tokens} tokens.");
        }

        Count(op, new Extent(qkv.Rows, tokens, 2 * tokens, 0), Extent.Whole(0), $"{qkv.Rows} rows, {queryHeads}/{kvHeads} heads, sequences of {tokens}",
            (n, _) => run(n, starts.SliceColumns(0, (n / tokens) + 1)));
    }

    private CudaLinearWeight Blank(int inner, int outer, DType type, LinearLayout layout) =>
        new(inner, outer, type, layout, bytes => CudaMemory.Create(_inner.Device, _inner.Queue, bytes));

    // The tile that the true number of rows gets, for as long as fewer rows stand for it.
    private Restore Side(int rows, int columns)
    {
        int tiles = (rows + 127) / 128 * ((columns + 127) / 128);
        _inner.MatMulSide = Extent.Rows(rows).IsScaled && tiles >= Multiprocessors ? 128 : 0;
        return new Restore(() => _inner.MatMulSide = 0);
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly struct Restore(Action action) : IDisposable
    {
        public void Dispose() => action();
    }
}
