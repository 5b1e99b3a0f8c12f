using Farm.Core;

namespace Farm.Conformance;

public abstract partial class BackendConformance
{
    public static IEnumerable<object[]> LogProbCases() =>
        from vocabulary in Vocabularies
        from temperature in new[] { 1f, 0.3f, 2.5f }
        from entropy in new[] { false, true }
        select new object[] { vocabulary, temperature, entropy };

    [ConformanceTheory]
    [MemberData(nameof(LogProbCases))]
    public void LogProbGather_matches_the_reference(int vocabulary, float temperature, bool entropy)
    {
        foreach (int rows in vocabulary > 1000 ? [3] : new[] { 0, 1, 2, 5, 17, 65 })
        {
            using var rig = NewRig();
            float[] values = TestData.Normal(rows + vocabulary, rows * vocabulary, 3f);
            float largest = values.Select(Math.Abs).DefaultIfEmpty(0).Max();
            var logits = rig.Real(rows, vocabulary, values, pad: rows % 2);
            var ids = rig.Ints(TestData.Integers(rows, rows, vocabulary));
            Twin logprobs = rig.Output(1, rows), entropies = rig.Output(1, rows);
            rig.Run(side => side.Backend.LogProbGather(side[logits], side[ids], temperature, side[logprobs],
                side[entropy ? entropies : null]));
            rig.Compare($"LogProbGather [{rows}, {vocabulary}] / {temperature}", logprobs,
                (_, _, _) => Tolerances.LogProb(2 * largest, temperature));
            rig.Compare($"Entropy [{rows}, {vocabulary}] / {temperature}", entropies,
                (_, _, _) => Tolerances.Entropy(vocabulary, 2 * largest, temperature));
            Assert.Equal(values, rig.Got(logits));
        }
    }

    [ConformanceFact]
    public void LogProbGather_of_large_and_equal_logits_is_exact_in_the_limit()
    {
        using var rig = NewRig();
        float[] values = [.. Enumerable.Repeat(1e4f, 100), .. Enumerable.Repeat(-1e4f, 99), 1e4f];
        var logits = rig.Real(2, 100, values);
        var ids = rig.Ints([3, 99]);
        Twin logprobs = rig.Output(1, 2), entropies = rig.Output(1, 2);
        rig.Run(side => side.Backend.LogProbGather(side[logits], side[ids], 1f, side[logprobs], side[entropies]));
        float[] got = rig.Got(logprobs), spread = rig.Got(entropies);
        Assert.Equal(-Math.Log(100), got[0], 1e-3);
        Assert.Equal(Math.Log(100), spread[0], 1e-3);
        Assert.Equal(0, got[1], 1e-6);
        Assert.Equal(0, spread[1], 1e-6);
    }

    [ConformanceFact]
    public void LogProbGather_refuses_wrong_shapes()
    {
        using var rig = NewRig();
        var b = rig.Actual;
        Tensor logits = rig.Real(2, 9, new float[18]).Actual, ids = rig.Ints([0, 1]).Actual, logs = rig.Output(1, 2).Actual;
        Tensor three = rig.Output(1, 3).Actual;
        Assert.ThrowsAny<ArgumentException>(() => b.LogProbGather(logits, rig.Ints([0, 1, 2]).Actual, 1f, logs));
        Assert.ThrowsAny<ArgumentException>(() => b.LogProbGather(logits, ids, 1f, three));
        Assert.ThrowsAny<ArgumentException>(() => b.LogProbGather(logits, ids, 1f, logs, three));
        Assert.ThrowsAny<ArgumentException>(() => b.LogProbGather(logits, logs, 1f, logs));
        Assert.ThrowsAny<ArgumentException>(() => b.LogProbGather(logits, ids, 0f, logs));
        Assert.ThrowsAny<ArgumentException>(() => b.LogProbGather(logits, ids, 1f, default));
    }
}
