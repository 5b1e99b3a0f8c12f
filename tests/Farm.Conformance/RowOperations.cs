using Farm.Core;

namespace Farm.Conformance;

/// <summary>
/// Every operation as a function of numbered rows: row r's operands depend on r and its version alone, so that the same row can ride
/// in different calls. Each gives the raw results of its rows in the order asked for.
/// </summary>
internal static class RowOperations
{
    private const int In = 200, Out = 150, Vocabulary = 500, Heads = 4, KvHeads = 2, HeadDim = 24;

    public delegate float[][] RowOperation(IBackend backend, int[] rows, Func<int, int> version);

    public static IReadOnlyDictionary<string, RowOperation> All { get; } = Create();

    private static Dictionary<string, RowOperation> Create()
    {
        var all = new Dictionary<string, RowOperation>
        {
            ["RmsNorm"] = RmsNorm,
            ["RopeAppendKv"] = Rope,
            ["Attention"] = Attention,
            ["LogProbGather"] = LogProb,
            ["Sample"] = (b, rows, version) => Sample(b, rows, version, new() { Temperature = 0.9f }),
            ["Sample filtered"] = (b, rows, version) =>
                Sample(b, rows, version, new() { TopK = 60, TopP = 0.9f, MinP = 0.01f, Temperature = 1.3f }),
        };
        foreach (var storage in new[] { DType.F32, DType.BF16, DType.I8 })
        {
            all[$"Linear {storage.Name()}"] = (b, rows, version) => Linear(b, rows, version, storage, false, LinearLayout.Concatenated);
            all[$"Linear {storage.Name()} after norm"] = (b, rows, version) => Linear(b, rows, version, storage, true,
                LinearLayout.Concatenated);
            all[$"Linear {storage.Name()} gate/up"] = (b, rows, version) => Linear(b, rows, version, storage, false, LinearLayout.GateUp);
        }

        return all;
    }

    private static float[] Data(int[] rows, Func<int, int> version, int width, float scale = 1) =>
        [.. rows.SelectMany(r => TestData.Uniform((r * 100) + version(r), width, scale))];

    private static float[][] Split(float[] values, int rows) =>
        rows == 0 ? [] : [.. values.Chunk(values.Length / rows)];

    private static float[][] RmsNorm(IBackend backend, int[] rows, Func<int, int> version)
    {
        using var m = new Operands(backend);
        Tensor input = m.Real(rows.Length, In, Data(rows, version, In)), output = m.Real(rows.Length, In);
        backend.RmsNorm(input, m.Real(1, In, TestData.Uniform(1, In)), 1e-5f, output);
        return Split(m.Read(output), rows.Length);
    }

    private static float[][] Linear(IBackend backend, int[] rows, Func<int, int> version, DType storage, bool norm, LinearLayout layout)
    {
        using var m = new Operands(backend);
        var parts = new List<IRowSource> { BackendConformance.Source("a", Out, In, DType.F32, DType.F32, 1) };
        if (layout == LinearLayout.GateUp)
        {
            parts.Add(BackendConformance.Source("b", Out, In, DType.F32, DType.F32, 2));
        }

        using var weight = backend.PackLinear(parts, storage, layout);
        Tensor input = m.Real(rows.Length, In, Data(rows, version, In)), output = m.Real(rows.Length, Out);
        backend.Linear(input, weight, output, layout == LinearLayout.GateUp ? default : m.Real(1, Out, TestData.Uniform(3, Out)), false,
            norm ? m.Real(1, In, TestData.Uniform(4, In)) : default, 1e-5f);
        return Split(m.Read(output), rows.Length);
    }

    private static float[][] Rope(IBackend backend, int[] rows, Func<int, int> version)
    {
        using var m = new Operands(backend);
        int width = (Heads + (2 * KvHeads)) * HeadDim;
        Tensor qkv = m.Real(rows.Length, width, Data(rows, version, width));
        Tensor cosine = m.Real(200, HeadDim / 2, TestData.Uniform(1, 100 * HeadDim));
        Tensor sine = m.Real(200, HeadDim / 2, TestData.Uniform(2, 100 * HeadDim));
        using var pool = backend.CreateKvPool(new KvShape(1, KvHeads, HeadDim, DType.BF16), 2);
        Tensor ids = m.Ints(1, rows.Length, rows);
        backend.RopeAppendKv(qkv, Heads, KvHeads, ids, cosine, sine, pool, 0, ids);
        return Split(m.Read(qkv), rows.Length);
    }

    // Row r is a decoding sequence of prompt r % 3 with a suffix of its own length; prompts and suffixes always lie in the same pages.
    private static float[][] Attention(IBackend backend, int[] rows, Func<int, int> version)
    {
        const int Prompts = 3, PromptPages = 2, Sequences = 130;
        int[] promptLength = [0, 37, 200];
        static int Suffix(int r) => 1 + (r * 11 % 90);
        using var m = new Operands(backend);
        using var pool = backend.CreateKvPool(new KvShape(1, KvHeads, HeadDim, DType.F32), (Prompts * PromptPages) + Sequences);
        int half = HeadDim / 2, width = 3 * KvHeads * HeadDim;
        Tensor cosine = m.Real(1, half, [.. Enumerable.Repeat(1f, half)]), sine = m.Real(1, half, new float[half]);
        void Append(int firstPage, int tokens, int seed)
        {
            Tensor qkv = m.Real(tokens, width, TestData.Uniform(seed, tokens * width)), zeros = m.Ints(1, tokens, new int[tokens]);
            backend.RopeAppendKv(qkv, KvHeads, KvHeads, zeros, cosine, sine, pool, 0,
                m.Ints(1, tokens, [.. Enumerable.Range(firstPage * KvPool.PageTokens, tokens)]));
        }

        var plan = new AttentionPlan(Prompts, rows.Length, (Prompts * PromptPages) + rows.Length);
        var order = new List<int>();
        plan.Clear();
        foreach (int prompt in rows.Select(r => r % Prompts).Distinct())
        {
            Append(prompt * PromptPages, promptLength[prompt], 1000 + prompt);
            plan.BeginGroup(promptLength[prompt], [prompt * PromptPages, (prompt * PromptPages) + 1]);
            foreach (int r in rows.Where(r => r % Prompts == prompt))
            {
                int page = (Prompts * PromptPages) + r;
                Append(page, Suffix(r), 2000 + r);
                plan.AddSequence(1, Suffix(r), [page]);
                order.Add(r);
            }
        }

        Tensor queries = m.Real(rows.Length, Heads * HeadDim, Data([.. order], version, Heads * HeadDim, 3f));
        Tensor output = m.Real(rows.Length, Heads * HeadDim);
        backend.Attention(queries, Heads, pool, 0, plan, 0.2f, output);
        float[][] results = Split(m.Read(output), rows.Length);
        return [.. rows.Select(r => results[order.IndexOf(r)])];
    }

    private static float[][] Sample(IBackend backend, int[] rows, Func<int, int> version, SamplingParameters parameters)
    {
        using var m = new Operands(backend);
        Tensor logits = m.Real(rows.Length, Vocabulary, Data(rows, version, Vocabulary, 4f));
        Tensor keys = m.Ints(rows.Length, 3, [.. rows.SelectMany(r => new[] { r, 1, 2 })]);
        Tensor tokens = m.Ints(1, rows.Length, new int[rows.Length]), logprobs = m.Real(1, rows.Length);
        backend.Sample(logits, parameters, 3, keys, tokens, logprobs);
        float[] logs = m.Read(logprobs);
        return [.. m.ReadInts(tokens).Select((token, i) => new[] { token, logs[i] })];
    }

    private static float[][] LogProb(IBackend backend, int[] rows, Func<int, int> version)
    {
        using var m = new Operands(backend);
        Tensor logits = m.Real(rows.Length, Vocabulary, Data(rows, version, Vocabulary, 4f)), ids = m.Ints(1, rows.Length, rows);
        Tensor logprobs = m.Real(1, rows.Length), entropy = m.Real(1, rows.Length);
        backend.LogProbGather(logits, ids, 0.8f, logprobs, entropy);
        float[] logs = m.Read(logprobs), entropies = m.Read(entropy);
        return [.. logs.Select((x, i) => new[] { x, entropies[i] })];
    }
}
