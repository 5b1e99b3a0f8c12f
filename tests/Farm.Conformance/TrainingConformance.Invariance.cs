namespace Farm.Conformance;

public abstract partial class TrainingConformance
{
    public static IEnumerable<object[]> OperationNames() => TrainingOperations.All.Keys.Select(name => new object[] { name });

    [ConformanceTheory]
    [MemberData(nameof(OperationNames))]
    public void Results_are_bitwise_the_same_for_any_number_of_threads_and_any_run(string operation)
    {
        var run = TrainingOperations.All[operation];
        float[]? first = null;
        foreach (int threads in new[] { 1, 2, 3, 5, 3 })
        {
            using var backend = CreateBackend(threads);
            float[] got = run(backend, 0);
            AssertSameBits($"{operation} with {threads} threads", first ??= got, got);
        }

        // The comparison notices other operands.
        using var other = CreateBackend(1);
        Assert.False(first!.SequenceEqual(run(other, 10)), $"{operation} gives the same for other operands");
    }

    private static void AssertSameBits(string what, float[] expected, float[] got)
    {
        Assert.Equal(expected.Length, got.Length);
        for (int i = 0; i < got.Length; i++)
        {
            if (BitConverter.SingleToInt32Bits(got[i]) != BitConverter.SingleToInt32Bits(expected[i]))
            {
                Assert.Fail($"{what}, element {i}: got {got[i]:R}, expected {expected[i]:R} bit for bit");
            }
        }
    }
}
