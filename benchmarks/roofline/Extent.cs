using Farm.Cuda.Driver;

namespace Farm.Roofline;

/// <summary>
/// Rows or columns of an operation, and the two smaller numbers of them that it is counted at where there are too many. A kernel whose blocks each take some of them
/// reads what all share once and the rest once for each, so that every counter is affine in their number as long as the same kernel runs and blocks are full.
/// </summary>
/// <param name="Count">How many there are.</param>
/// <param name="Few">The smaller number to count at.</param>
/// <param name="More">The larger one.</param>
/// <param name="Most">Most that are counted as they are.</param>
internal readonly record struct Extent(int Count, int Few, int More, int Most)
{
    /// <summary>Rows that are counted at 128 and 256: whole blocks of every product.</summary>
    public static Extent Rows(int count) => new(count, 128, 256, 256);

    /// <summary>What is counted as it is.</summary>
    public static Extent Whole(int count) => new(count, 0, 0, int.MaxValue);

    /// <summary>Whether fewer are counted.</summary>
    public bool IsScaled => Count > Math.Max(Most, More);

    /// <summary>Counts, by kernel.</summary>
    /// <exception cref="InvalidOperationException">The two numbers run different kernels.</exception>
    public IReadOnlyDictionary<string, SimulatorCounters> Apply(Func<int, IReadOnlyDictionary<string, SimulatorCounters>> count)
    {
        if (!IsScaled)
        {
            return count(Count);
        }

        var (few, more) = (count(Few), count(More));
        if (!few.Keys.Order(StringComparer.Ordinal).SequenceEqual(more.Keys.Order(StringComparer.Ordinal)))
        {
            throw new InvalidOperationException($"{Few} and {More} run different kernels: {string.Join(", ", few.Keys)}; {string.Join(", ", more.Keys)}.");
        }

        double share = (Count - Few) / (double)(More - Few);
        return more.ToDictionary(k => k.Key, k => Line(few[k.Key], k.Value, share), StringComparer.Ordinal);
    }

    private static SimulatorCounters Line(SimulatorCounters few, SimulatorCounters more, double share)
    {
        long At(Func<SimulatorCounters, long> value) => (long)Math.Round(value(few) + (share * (value(more) - value(few))));
        return new SimulatorCounters(
            At(c => c.Launches), At(c => c.LoadBytes), At(c => c.StoreBytes), At(c => c.LoadSectorBytes), At(c => c.StoreSectorBytes), At(c => c.UniqueLoadBytes),
            At(c => c.UniqueStoreBytes), At(c => c.Flops), At(c => c.MmaFlops), At(c => c.BankConflicts), At(c => c.LdmatrixConflicts), At(c => c.WarpInstructions));
    }
}
