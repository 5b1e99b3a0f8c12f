using Farm.Core;

namespace Farm.Conformance;

public abstract partial class BackendConformance
{
    private const int AllRows = 130;

    public static IEnumerable<object[]> RowOperationNames() => RowOperations.All.Keys.Select(name => new object[] { name });

    [ConformanceTheory]
    [MemberData(nameof(RowOperationNames))]
    public void A_row_is_bitwise_the_same_in_any_batch(string operation)
    {
        using var backend = CreateBackend();
        var run = RowOperations.All[operation];
        float[][] whole = run(backend, [.. Enumerable.Range(0, AllRows)], _ => 0);
        int[][] batches =
        [
            [5], [AllRows - 1], [1, 2], [6, 5, 4, 3, 2, 1, 0], [.. Enumerable.Range(40, 16)], [.. Enumerable.Range(60, 17)],
            [.. Enumerable.Range(97, 33).Reverse()], [.. Enumerable.Range(0, AllRows / 2).Select(i => 2 * i)],
            TestData.Permutation(1, AllRows),
        ];
        foreach (int[] batch in batches)
        {
            float[][] part = run(backend, batch, _ => 0);
            for (int i = 0; i < batch.Length; i++)
            {
                AssertSameBits($"{operation}: row {batch[i]} in a call of {batch.Length} rows", whole[batch[i]], part[i]);
            }
        }
    }

    [ConformanceTheory]
    [MemberData(nameof(RowOperationNames))]
    public void A_row_depends_on_its_own_operands_alone(string operation)
    {
        using var backend = CreateBackend();
        var run = RowOperations.All[operation];
        int[] rows = [.. Enumerable.Range(0, 33)];
        float[][] before = run(backend, rows, _ => 0), others = run(backend, rows, r => r == 12 ? 0 : 1);
        float[][] own = run(backend, rows, r => r == 12 ? 1 : 0);
        AssertSameBits($"{operation}: row 12 after the other rows changed", before[12], others[12]);
        Assert.False(before[12].SequenceEqual(own[12]), $"{operation}: row 12 stayed the same after its own operands changed");
        Assert.False(before[13].SequenceEqual(others[13]), $"{operation}: row 13 stayed the same after its own operands changed");
        AssertSameBits($"{operation}: row 13 after row 12 changed", before[13], own[13]);
    }

    [ConformanceTheory]
    [MemberData(nameof(RowOperationNames))]
    public void Results_are_bitwise_the_same_for_any_number_of_threads(string operation)
    {
        var run = RowOperations.All[operation];
        foreach (int count in new[] { 1, 17, AllRows })
        {
            int[] rows = [.. Enumerable.Range(0, count)];
            float[][]? first = null;
            foreach (int threads in new[] { 1, 2, 3, 5 })
            {
                using var backend = CreateBackend(threads);
                float[][] results = run(backend, rows, _ => 0);
                first ??= results;
                for (int r = 0; r < count; r++)
                {
                    AssertSameBits($"{operation}: row {r} of {count} with {threads} threads", first[r], results[r]);
                }
            }
        }
    }

    [ConformanceFact]
    public void A_query_row_is_bitwise_the_same_alone_and_in_a_run_of_rows()
    {
        const int Heads = 4, HeadDim = 32, Width = Heads * HeadDim, Suffix = 145;
        foreach (int prefix in new[] { 0, 70 })
        {
            using var rig = NewRig();
            var setup = new AttentionSetup(rig, new KvShape(1, 2, HeadDim, DType.F32), Heads, [new(prefix, (Suffix, Suffix))], 0, 3);
            var queries = rig.Real(Suffix, Width, TestData.Uniform(4, Suffix * Width));
            var together = rig.Output(Suffix, Width);
            rig.Actual.Attention(queries.Actual, Heads, setup.Pool.Actual, 0, setup.Plan, 0.2f, together.Actual);
            float[] all = rig.Got(together);
            int[] prefixPages = setup.Plan.PrefixPages[..KvPool.PagesFor(prefix)];
            int[] suffixPages = setup.Plan.SuffixPages[..KvPool.PagesFor(Suffix)];
            foreach (int row in new[] { 0, 1, 15, 16, 63, 100, 127, 128, 144 })
            {
                var plan = new AttentionPlan(1, 1, 4);
                plan.Clear();
                plan.BeginGroup(prefix, prefixPages);
                plan.AddSequence(1, row + 1, suffixPages);
                var alone = rig.Output(1, Width);
                rig.Actual.Attention(queries.Actual.SliceRows(row, 1), Heads, setup.Pool.Actual, 0, plan, 0.2f, alone.Actual);
                AssertSameBits($"Attention: row {row} of {Suffix} after a prefix of {prefix}", all[(row * Width)..((row + 1) * Width)],
                    rig.Got(alone));
            }
        }
    }

    private static void AssertSameBits(string what, float[] expected, float[] got)
    {
        Assert.Equal(expected.Length, got.Length);
        for (int i = 0; i < got.Length; i++)
        {
            if (BitConverter.SingleToInt32Bits(got[i]) != BitConverter.SingleToInt32Bits(expected[i]))
            {
                Assert.Fail($"{what}, column {i}: got {got[i]:R}, expected {expected[i]:R} bit for bit");
            }
        }
    }
}
