using Farm.Core;

namespace Farm.Cli.Kernels;

/// <summary>The operations of inference at a model's shapes.</summary>
internal static class InferenceCases
{
    private const double Exact = 0, Float = 1e-4;

    /// <summary>All of them.</summary>
    /// <param name="m">The model.</param>
    /// <param name="decode">Rows of a decode step.</param>
    /// <param name="prefill">Rows of a prefill pass.</param>
    /// <param name="context">Tokens of the prompt that a decode step's samples share.</param>
    public static IEnumerable<KernelCase> Of(ModelShape m, int decode, int prefill, int context)
    {
        foreach (var (rows, types) in new[] { (decode, new[] { DType.BF16, DType.I8, DType.F32 }), (prefill, new[] { DType.BF16, DType.I8, DType.F32 }) })
        {
            foreach (var type in types)
            {
                yield return Linear("linear-qkv", m.Hidden, m.QkvWidth, rows, type, norm: true);
                yield return Linear("linear-out", m.QueryWidth, m.Hidden, rows, type, accumulate: true);
                yield return Linear("linear-gate-up", m.Hidden, m.Intermediate, rows, type, norm: true, layout: LinearLayout.GateUp);
                yield return Linear("linear-down", m.Intermediate, m.Hidden, rows, type, accumulate: true);
            }
        }

        yield return Linear("linear-head", m.Hidden, m.Vocabulary, decode, DType.BF16, norm: true);
        yield return RmsNorm(prefill, m.Hidden);
        yield return Embedding(prefill, m);
        yield return EmbeddingPacked(prefill, m, DType.BF16);
        yield return EmbeddingPacked(prefill, m, DType.I8);
        yield return Copy(prefill, m.Hidden, DType.F32, DType.BF16);
        yield return Copy(prefill, m.Hidden, DType.F32, DType.F32);
        yield return GatherRows(prefill, m.Hidden);
        foreach (var storage in new[] { DType.BF16, DType.F32 })
        {
            yield return RopeAppend(m, decode, storage);
            yield return AttentionPrefill(m, prefill, storage);
            yield return AttentionDecode(m, decode, context, 40, storage);
        }

        yield return Sample(decode, m.Vocabulary, new SamplingParameters(), "temperature 1");
        yield return Sample(decode, m.Vocabulary, new SamplingParameters { Temperature = 0 }, "greedy");
        yield return Sample(decode, m.Vocabulary, new SamplingParameters { Temperature = 0.7f, TopK = 50, TopP = 0.9f, MinP = 0.01f, RepetitionPenalty = 1.2f }, "all filters");
        yield return LogProb(decode, m.Vocabulary);
    }

    internal static KernelCase Linear(string op, int inner, int outer, int rows, DType type, bool norm = false, bool accumulate = false, LinearLayout layout = LinearLayout.Concatenated)
    {
        long elements = (long)inner * outer * (layout == LinearLayout.GateUp ? 2 : 1);
        double weights = type == DType.I8 ? elements * (1 + (4.0 / 64)) : elements * type.Size();
        double activations = 4.0 * rows * (inner + (outer * (accumulate ? 2 : 1)));
        return new KernelCase(op, $"{rows} rows, {inner} to {outer}, {type.Name()}", weights + activations, 2.0 * rows * elements, type == DType.I8 ? 1e-3 : Float, o =>
        {
            var (x, y) = (o.Real(rows, inner), o.Real(rows, outer));
            var normWeight = norm ? o.Real(1, inner) : default;
            var weight = o.Weight(outer, inner, type, layout);
            return new KernelRun(() => o.Backend.Linear(x, weight, y, accumulate: accumulate, normWeight: normWeight, normEpsilon: 1e-5f), () => o.Read(y));
        });
    }

    internal static KernelCase RmsNorm(int rows, int width) => new("rms-norm", $"{rows} rows of {width}", 8.0 * rows * width, 4.0 * rows * width, Float, o =>
    {
        var (x, w, y) = (o.Real(rows, width), o.Real(1, width), o.Zero(rows, width));
        return new KernelRun(() => o.Backend.RmsNorm(x, w, 1e-5f, y), () => o.Read(y));
    });

    internal static KernelCase Embedding(int rows, ModelShape m, DType type = DType.F32) => new("embedding", $"{rows} of {m.Vocabulary} rows of {m.Hidden}, {type.Name()}", (4.0 + type.Size()) * rows * m.Hidden, 0, Exact, o =>
    {
        // A table of a few thousand rows costs as much to read as one of the whole vocabulary.
        int entries = Math.Min(m.Vocabulary, 4096);
        var (ids, table, y) = (o.Ints(1, rows, i => i * 31 % entries), o.Real(entries, m.Hidden), o.Zero(rows, m.Hidden));
        if (type != DType.F32)
        {
            var rounded = o.Zero(entries, m.Hidden, type);
            o.Backend.Copy(table, rounded);
            table = rounded;
        }

        return new KernelRun(() => o.Backend.Embedding(ids, table, y), () => o.Read(y));
    });

    internal static KernelCase EmbeddingPacked(int rows, ModelShape m, DType type) =>
        new("embedding", $"{rows} rows of {m.Hidden} from a packed {type.Name()} weight", (4.0 + type.Size()) * rows * m.Hidden, 0, type == DType.I8 ? 1e-6 : Exact, o =>
        {
            int entries = Math.Min(m.Vocabulary, 4096);
            var (ids, table, y) = (o.Ints(1, rows, i => i * 31 % entries), o.Weight(entries, m.Hidden, type), o.Zero(rows, m.Hidden));
            return new KernelRun(() => o.Backend.Embedding(ids, table, y), () => o.Read(y));
        });

    private static KernelCase Copy(int rows, int width, DType from, DType to) =>
        new("copy", $"{rows} rows of {width}, {from.Name()} to {to.Name()}", (double)rows * width * (from.Size() + to.Size()), 0, Exact, o =>
        {
            var (x, y, back) = (o.Real(rows, width), o.Zero(rows, width, to), o.Zero(rows, width));
            return new KernelRun(() => o.Backend.Copy(x, y), () =>
            {
                o.Backend.Copy(y, back);
                return o.Read(back);
            });
        });

    internal static KernelCase GatherRows(int rows, int width, DType type = DType.F32) => new("gather-rows", $"{rows} rows of {width}, {type.Name()}", 2.0 * rows * width * type.Size(), 0, Exact, o =>
    {
        var (x, ids, y) = (o.Real(rows, width), o.Ints(1, rows, i => (i * 7) % rows), o.Zero(rows, width));
        if (type == DType.F32)
        {
            return new KernelRun(() => o.Backend.GatherRows(x, ids, y), () => o.Read(y));
        }

        var (rounded, gathered) = (o.Zero(rows, width, type), o.Zero(rows, width, type));
        o.Backend.Copy(x, rounded);
        return new KernelRun(() => o.Backend.GatherRows(rounded, ids, gathered), () =>
        {
            o.Backend.Copy(gathered, y);
            return o.Read(y);
        });
    });

    private static KernelCase RopeAppend(ModelShape m, int rows, DType storage) =>
        new("rope-append-kv", $"{rows} rows, {m.Heads}+{m.KvHeads} heads of {m.HeadDim}, {storage.Name()} pages",
            rows * ((8.0 * (m.Heads + m.KvHeads) * m.HeadDim) + ((4.0 + (2 * storage.Size())) * m.KvHeads * m.HeadDim)), 3.0 * rows * (m.Heads + m.KvHeads) * m.HeadDim, Float, o =>
        {
            var cache = new CaseCache(o, m, rows, storage);
            var qkv = o.Real(rows, m.QkvWidth);
            return new KernelRun(() => cache.Append(qkv), () => o.Read(qkv));
        });

    internal static KernelCase AttentionPrefill(ModelShape m, int rows, DType storage)
    {
        double pairs = (double)rows * (rows + 1) / 2;
        return new KernelCase("attention-prefill", $"{rows} tokens, {m.Heads}/{m.KvHeads} heads of {m.HeadDim}, {storage.Name()} pages",
            (8.0 * rows * m.QueryWidth) + (2.0 * rows * m.KvHeads * m.HeadDim * storage.Size()), 4.0 * pairs * m.QueryWidth, Float, o =>
        {
            var cache = new CaseCache(o, m, rows, storage);
            var (qkv, y) = (o.Real(rows, m.QkvWidth), o.Zero(rows, m.QueryWidth));
            cache.Append(qkv);
            var plan = cache.Plan(0, [(rows, rows)]);
            return new KernelRun(() => o.Backend.Attention(qkv.SliceColumns(0, m.QueryWidth), m.Heads, cache.Pool, 0, plan, 1 / MathF.Sqrt(m.HeadDim), y), () => o.Read(y));
        });
    }

    internal static KernelCase AttentionDecode(ModelShape m, int samples, int prefix, int suffix, DType storage) =>
        new("attention-decode", $"{samples} samples of {suffix} tokens after one prompt of {prefix}, {m.Heads}/{m.KvHeads} heads of {m.HeadDim}, {storage.Name()} pages",
            (8.0 * samples * m.QueryWidth) + (2.0 * (prefix + (samples * suffix)) * m.KvHeads * m.HeadDim * storage.Size()), 4.0 * samples * (prefix + suffix) * m.QueryWidth, Float, o =>
        {
            int tokens = CaseCache.Rounded(prefix) + (samples * CaseCache.Rounded(suffix));
            var cache = new CaseCache(o, m, tokens, storage);
            cache.AppendAll(m);
            var (queries, y) = (o.Real(samples, m.QueryWidth), o.Zero(samples, m.QueryWidth));
            var plan = cache.Plan(prefix, [.. Enumerable.Repeat((1, suffix), samples)]);
            return new KernelRun(() => o.Backend.Attention(queries, m.Heads, cache.Pool, 0, plan, 1 / MathF.Sqrt(m.HeadDim), y), () => o.Read(y));
        });

    // The pages of all prompts are the same one, and those of all samples.
    internal static KernelCase AttentionPrompts(ModelShape m, int prompts, int samples, int prefix, int suffix, DType storage) =>
        new("attention-decode", $"{prompts} prompts of {prefix}, {samples} samples of {suffix} tokens each, {m.Heads}/{m.KvHeads} heads of {m.HeadDim}, {storage.Name()} pages",
            (8.0 * prompts * samples * m.QueryWidth) + (2.0 * (prefix + suffix) * m.KvHeads * m.HeadDim * storage.Size()), 4.0 * prompts * samples * (prefix + suffix) * m.QueryWidth, Float, o =>
        {
            int prefixPages = KvPool.PagesFor(prefix), pages = prefixPages + KvPool.PagesFor(suffix);
            var cache = new CaseCache(o, m, pages * KvPool.PageTokens, storage);
            cache.AppendAll(m);
            var (queries, y) = (o.Real(prompts * samples, m.QueryWidth), o.Zero(prompts * samples, m.QueryWidth));
            var plan = new AttentionPlan(prompts, prompts * samples, prompts * samples * pages);
            plan.Clear();
            int[] numbers = [.. Enumerable.Range(0, pages)];
            for (int p = 0; p < prompts; p++)
            {
                plan.BeginGroup(prefix, numbers.AsSpan(0, prefixPages));
                for (int s = 0; s < samples; s++)
                {
                    plan.AddSequence(1, suffix, numbers.AsSpan(prefixPages));
                }
            }

            return new KernelRun(() => o.Backend.Attention(queries, m.Heads, cache.Pool, 0, plan, 1 / MathF.Sqrt(m.HeadDim), y), () => o.Read(y));
        });

    internal static KernelCase Sample(int rows, int vocabulary, SamplingParameters parameters, string mode) =>
        new("sample", $"{rows} rows of {vocabulary}, {mode}", 4.0 * rows * vocabulary, 2.0 * rows * vocabulary, Float, o =>
        {
            var (logits, keys) = (o.Real(rows, vocabulary, 6f), o.Ints(rows, 3, i => i));
            var (tokens, logprobs) = (o.Zero(1, rows, DType.I32), o.Zero(1, rows));
            var seen = parameters.RepetitionPenalty == 1f ? default : o.Ints(rows, (vocabulary + 31) / 32, i => i * 0x01010101);
            return new KernelRun(() => o.Backend.Sample(logits, parameters, 7, keys, tokens, logprobs, seen), () => o.Read(tokens, logprobs));
        });

    internal static KernelCase LogProb(int rows, int vocabulary) => new("log-prob-gather", $"{rows} rows of {vocabulary}", 4.0 * rows * vocabulary, 3.0 * rows * vocabulary, Float, o =>
    {
        var (logits, ids, logprobs, entropy) = (o.Real(rows, vocabulary, 6f), o.Ints(1, rows, i => i * 13 % vocabulary), o.Zero(1, rows), o.Zero(1, rows));
        return new KernelRun(() => o.Backend.LogProbGather(logits, ids, 0.8f, logprobs, entropy), () => o.Read(logprobs, entropy));
    });
}
