using Farm.Core;
using Farm.Reference;

namespace Farm.Conformance;

public abstract partial class BackendConformance
{
    /// <summary>Draws of a statistical test, a multiple of 1000; a slow backend may make fewer.</summary>
    protected virtual int Draws => 200_000;
    private static readonly int[] Vocabularies = [1, 2, 33, 1000, 32001];

    /// <summary>Every filter alone, and all together.</summary>
    public static IEnumerable<object[]> SamplingCases() =>
        from vocabulary in Vocabularies
        from parameters in new SamplingParameters[]
        {
            new(),
            new() { Temperature = 0 },
            new() { Temperature = 0.7f },
            new() { Temperature = 1.9f },
            new() { TopK = 1 },
            new() { TopK = 40 },
            new() { TopK = vocabulary },
            new() { TopK = vocabulary + 7 },
            new() { TopP = 0.9f },
            new() { TopP = 0.3f, Temperature = 0.9f },
            new() { TopP = 1e-6f },
            new() { MinP = 0.05f },
            new() { MinP = 1f },
            new() { RepetitionPenalty = 1.3f },
            new() { RepetitionPenalty = 0.8f, Temperature = 0 },
            new() { Temperature = 0.8f, TopK = 50, TopP = 0.95f, MinP = 0.02f, RepetitionPenalty = 1.1f },
        }
        select new object[] { vocabulary, parameters };

    [ConformanceTheory]
    [MemberData(nameof(SamplingCases))]
    public void Sample_draws_the_token_of_the_exact_distribution(int vocabulary, SamplingParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        int rows = vocabulary > 1000 ? 4 : 33, words = (vocabulary + 31) / 32;
        const ulong Seed = 1234567890123UL;
        bool penalised = parameters.RepetitionPenalty != 1;
        using var rig = NewRig();
        float[] values = TestData.Normal(vocabulary, rows * vocabulary, 3f);
        int[] key = TestData.Integers(vocabulary, rows * 3, int.MaxValue), bits = TestData.Integers(3, rows * words, int.MaxValue);
        for (int i = 0; i < bits.Length; i++)
        {
            int used = Math.Min(32, vocabulary - (i % words * 32));
            bits[i] = used == 32 ? bits[i] * 2 : bits[i] & ((1 << used) - 1);
        }

        var logits = rig.Real(rows, vocabulary, values, pad: vocabulary % 2);
        var keys = rig.Ints(rows, 3, key);
        var tokens = rig.Ints([.. Enumerable.Repeat(-1, rows)]);
        var logprobs = rig.Output(1, rows);
        var seen = penalised ? rig.Ints(rows, words, bits) : null;
        rig.Actual.Sample(logits.Actual, parameters, Seed, keys.Actual, tokens.Actual, logprobs.Actual, seen?.Actual ?? default);

        int[] got = rig.GotInts(tokens);
        float[] gotLogs = rig.Got(logprobs);
        for (int b = 0; b < rows; b++)
        {
            ReadOnlySpan<float> row = values.AsSpan(b * vocabulary, vocabulary);
            ReadOnlySpan<int> rowBits = penalised ? bits.AsSpan(b * words, words) : default;
            double u = Philox.Uniform(Seed, (uint)key[b * 3], (uint)key[(b * 3) + 1], (uint)key[(b * 3) + 2]);
            string where = $"Sample {parameters}: f32[{rows}, {vocabulary}] row {b}, u {u:R}";
            CheckToken(where, got[b], row, parameters, rowBits, u);
            double want = ReferenceSampler.LogSoftmax(row)[got[b]];
            Assert.True(Math.Abs(gotLogs[b] - want) <= Tolerances.LogProb(16),
                $"{where}: logprob of {got[b]}: got {gotLogs[b]:R}, expected {want:R}");
            if (penalised)
            {
                bits[(b * words) + (got[b] / 32)] |= 1 << (got[b] % 32);
            }
        }

        Assert.Equal(values, rig.Got(logits));
        if (seen is not null)
        {
            Assert.Equal(bits, rig.GotInts(seen));
        }
    }

    [ConformanceFact]
    public void Greedy_ties_go_to_the_lowest_id()
    {
        foreach (int vocabulary in Vocabularies)
        {
            foreach (int first in new[] { 0, vocabulary / 3, vocabulary - 1 })
            {
                float[] values = [.. Enumerable.Repeat(-5f, vocabulary)];
                values[first] = values[^1] = 2f;
                values[(first + vocabulary) / 2] = 2f;
                Assert.Equal(first, DrawOne(values, new() { Temperature = 0 }, 0));
            }

            Assert.Equal(0, DrawOne([.. Enumerable.Repeat(-1e30f, vocabulary)], new() { Temperature = 0 }, 0));
        }
    }

    [ConformanceFact]
    public void Bits_of_seen_beyond_the_vocabulary_mean_nothing()
    {
        // Nearly all mass is on the first tokens: a bit taken for a token past the row's end would reach those of the row beside it, if anything.
        const int Vocabulary = 1000, Rows = 33, Words = 32, Beyond = -1 << (Vocabulary % 32);
        var parameters = new SamplingParameters { RepetitionPenalty = 1e6f, TopP = 0.999f };
        using var rig = NewRig();
        float[] row = [.. Enumerable.Range(0, Vocabulary).Select(i => i < 16 ? 5f : -9f)];
        var logits = rig.Real(Rows, Vocabulary, [.. Enumerable.Repeat(row, Rows).SelectMany(x => x)]);
        var keys = rig.Ints(Rows, 3, [.. Enumerable.Range(0, Rows * 3)]);
        var tokens = rig.Ints(new int[Rows]);
        var logprobs = rig.Output(1, Rows);
        var seen = rig.Ints(Rows, Words, new int[Rows * Words]);
        int[] Draw(int last)
        {
            rig.Actual.Upload<int>([.. Enumerable.Range(0, Rows * Words).Select(i => i % Words == Words - 1 ? last : 0)], seen.Actual);
            rig.Actual.Sample(logits.Actual, parameters, 21, keys.Actual, tokens.Actual, logprobs.Actual, seen.Actual);
            return rig.GotInts(tokens);
        }

        int[] want = Draw(0);
        Assert.True(want.Distinct().Count() > 8, "the tokens do not differ");
        Assert.Equal(want, Draw(Beyond));
    }

    [ConformanceFact]
    public void Ties_at_the_edge_of_a_filter_keep_the_lower_ids()
    {
        // 100 equal logits and one above: top-k 11 leaves the best and the ten lowest ids, top-p just above a tenth of the mass as many.
        float[] values = [.. Enumerable.Repeat(1f, 100), 1.5f];
        double best = Math.Exp(0.5), total = best + 100;
        foreach (var parameters in new SamplingParameters[] { new() { TopK = 11 }, new() { TopP = (float)((best + 9.5) / total) } })
        {
            var drawn = new HashSet<int>();
            for (int key = 0; key < 400; key++)
            {
                drawn.Add(DrawOne(values, parameters, key));
            }

            Assert.Equal([.. Enumerable.Range(0, 10), 100], drawn.Order());
        }
    }

    [ConformanceFact]
    public void Tokens_with_a_logit_of_minus_infinity_are_never_drawn()
    {
        float[] values = [.. Enumerable.Range(0, 70).Select(t => t % 3 == 1 ? t / 70f : float.NegativeInfinity)];
        foreach (var parameters in new SamplingParameters[] { new(), new() { TopK = 40 }, new() { TopP = 0.99f },
            new() { Temperature = 0 } })
        {
            for (int key = 0; key < 100; key++)
            {
                Assert.Equal(1, DrawOne(values, parameters, key) % 3);
            }
        }
    }

    [ConformanceFact]
    public void A_different_seed_or_key_changes_the_draws()
    {
        using var backend = CreateBackend();
        float[] values = TestData.Normal(1, 1000);
        int[] Sequence(ulong seed, int prompt, int sample) =>
            [.. Enumerable.Range(0, 16).Select(position => SampleRow(backend, values, new(), seed, [prompt, sample, position]).Token)];
        int[] draws = Sequence(1, 2, 3);
        Assert.Equal(draws, Sequence(1, 2, 3));
        Assert.NotEqual(draws, Sequence(2, 2, 3));
        Assert.NotEqual(draws, Sequence(1, 3, 3));
        Assert.NotEqual(draws, Sequence(1, 2, 4));
        Assert.True(draws.Distinct().Count() > 8, "the position does not change the draw");
    }

    public static IEnumerable<object[]> StatisticalCases() =>
    [
        [new SamplingParameters()],
        [new SamplingParameters { Temperature = 0.6f }],
        [new SamplingParameters { TopK = 7 }],
        [new SamplingParameters { TopP = 0.8f }],
        [new SamplingParameters { MinP = 0.2f, Temperature = 1.4f }],
        [new SamplingParameters { Temperature = 1.2f, TopK = 12, TopP = 0.9f, MinP = 0.05f, RepetitionPenalty = 1.5f }],
    ];

    [ConformanceTheory]
    [MemberData(nameof(StatisticalCases))]
    public void Draws_follow_the_exact_probabilities(SamplingParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        const int Vocabulary = 19, Batch = 1000, Bits = 0b101_0110;
        float[] row = TestData.Normal(11, Vocabulary, 1.2f);
        bool penalised = parameters.RepetitionPenalty != 1;
        using var rig = NewRig();
        var logits = rig.Real(Batch, Vocabulary, [.. Enumerable.Repeat(row, Batch).SelectMany(x => x)]);
        var tokens = rig.Ints(new int[Batch]);
        var logprobs = rig.Output(1, Batch);
        var keys = rig.Ints(Batch, 3, new int[Batch * 3]);
        var seen = penalised ? rig.Ints(Batch, 1, new int[Batch]) : null;
        int[] key = new int[Batch * 3], bits = [.. Enumerable.Repeat(Bits, Batch)];
        var counts = new long[Vocabulary];
        for (int call = 0; call < Draws / Batch; call++)
        {
            for (int b = 0; b < Batch; b++)
            {
                (key[b * 3], key[(b * 3) + 1], key[(b * 3) + 2]) = (call, b, b % 7);
            }

            rig.Actual.Upload<int>(key, keys.Actual);
            if (seen is not null)
            {
                rig.Actual.Upload<int>(bits, seen.Actual);
            }

            rig.Actual.Sample(logits.Actual, parameters, 99, keys.Actual, tokens.Actual, logprobs.Actual, seen?.Actual ?? default);
            foreach (int token in rig.GotInts(tokens))
            {
                counts[token]++;
            }
        }

        double[] exact = ReferenceSampler.Probabilities(row, parameters, penalised ? [Bits] : []);
        double deviation = ChiSquare.Deviation(counts, exact);
        Assert.True(deviation < 4,
            $"Sample {parameters}: counts {string.Join(' ', counts)} lie {deviation:F1} deviations from the distribution");

        // The same test notices a distribution that is wrong by a temperature 8 % higher.
        double[] wrong = ReferenceSampler.Probabilities(row, parameters with { Temperature = parameters.Temperature * 1.08f },
            penalised ? [Bits] : []);
        double control = ChiSquare.Deviation(counts, wrong);
        Assert.True(control > 5, $"Sample {parameters}: a wrong distribution lies only {control:F1} deviations away");
    }

    [ConformanceFact]
    public void Sample_refuses_wrong_shapes()
    {
        using var rig = NewRig();
        var b = rig.Actual;
        var p = new SamplingParameters();
        var penalty = new SamplingParameters { RepetitionPenalty = 1.2f };
        Tensor logits = rig.Real(2, 40, new float[80]).Actual, keys = rig.Ints(2, 3, new int[6]).Actual, tokens = rig.Ints([0, 0]).Actual;
        Tensor logprobs = rig.Output(1, 2).Actual, seen = rig.Ints(2, 2, new int[4]).Actual, three = rig.Ints([0, 0, 0]).Actual;
        b.Sample(logits, penalty, 1, keys, tokens, logprobs, seen);
        Assert.ThrowsAny<ArgumentException>(() => b.Sample(logits, p, 1, three, tokens, logprobs));
        Assert.ThrowsAny<ArgumentException>(() => b.Sample(logits, p, 1, keys, three, logprobs));
        Assert.ThrowsAny<ArgumentException>(() => b.Sample(logits, p, 1, keys, tokens, rig.Output(1, 3).Actual));
        Assert.ThrowsAny<ArgumentException>(() => b.Sample(logits, p, 1, keys, logprobs, logprobs));
        Assert.ThrowsAny<ArgumentException>(() => b.Sample(rig.Output(2, 40, type: DType.BF16).Actual, p, 1, keys, tokens, logprobs));
        Assert.ThrowsAny<ArgumentException>(() => b.Sample(logits, penalty, 1, keys, tokens, logprobs));
        Assert.ThrowsAny<ArgumentException>(() => b.Sample(logits, penalty, 1, keys, tokens, logprobs, tokens));
    }

    // The reference's own token, or the one beside a boundary that u lies within the window of: of the draw, of top-p or of min-p.
    private static void CheckToken(string where, int got, ReadOnlySpan<float> logits, SamplingParameters parameters,
        ReadOnlySpan<int> seen, double u)
    {
        Assert.InRange(got, 0, logits.Length - 1);
        double[] exact = ReferenceSampler.Probabilities(logits, parameters, seen);
        int want = ReferenceSampler.Draw(exact, u);
        if (got == want)
        {
            return;
        }

        const double W = Tolerances.DrawWindow;
        foreach (double topP in new[] { parameters.TopP, parameters.TopP - W, parameters.TopP + W })
        {
            foreach (double minP in new[] { parameters.MinP, parameters.MinP * (1 - W), parameters.MinP * (1 + W) })
            {
                if (parameters.Temperature > 0 && Touches(ReferenceSampler.Probabilities(logits, parameters, seen, topP, minP), got, u))
                {
                    return;
                }
            }
        }

        Assert.Fail($"{where}: got token {got} of probability {exact[got]:G4}, expected {want} of {exact[want]:G4}");

        static bool Touches(double[] probabilities, int token, double u)
        {
            double below = probabilities.Take(token).Sum();
            return probabilities[token] > 0 && u >= below - W && u < below + probabilities[token] + W;
        }
    }

    private int DrawOne(float[] logits, SamplingParameters parameters, int key)
    {
        _shared ??= CreateBackend();
        return SampleRow(_shared, logits, parameters, 5, [key, 1, 2]).Token;
    }

    private static (int Token, float LogProb) SampleRow(IBackend backend, float[] logits, SamplingParameters parameters, ulong seed,
        int[] key)
    {
        using var memory = backend.Allocate((logits.Length * 4) + 256);
        Tensor row = memory.Tensor(DType.F32, 1, logits.Length, 256), keys = memory.Tensor(DType.I32, 1, 3);
        Tensor token = memory.Tensor(DType.I32, 1, 1, 64), logprob = memory.Tensor(DType.F32, 1, 1, 128);
        backend.Upload<float>(logits, row);
        backend.Upload<int>(key, keys);
        backend.Sample(row, parameters, seed, keys, token, logprob);
        var tokens = new int[1];
        var logprobs = new float[1];
        backend.Download(token, tokens.AsSpan());
        backend.Download(logprob, logprobs.AsSpan());
        return (tokens[0], logprobs[0]);
    }
}
