using System.Text.Json;

namespace Farm.Cuda.Driver;

/// <summary>What the launches of a kernel did on the driver simulator.</summary>
/// <param name="Launches">Launches.</param>
/// <param name="LoadBytes">Bytes that the lanes asked of global memory.</param>
/// <param name="StoreBytes">Bytes that the lanes wrote to global memory.</param>
/// <param name="LoadSectorBytes">32 bytes for each distinct sector of each warp's request: what the caches are asked for.</param>
/// <param name="StoreSectorBytes">The same of stores.</param>
/// <param name="UniqueLoadBytes">32 bytes for each sector that a launch reads at all: what memory is asked for at least.</param>
/// <param name="UniqueStoreBytes">The same of stores.</param>
/// <param name="Flops">Scalar float operations, a fused multiply-add as two.</param>
/// <param name="MmaFlops">Tensor-core operations.</param>
/// <param name="BankConflicts">Passes over the shared-memory banks beyond the first of a request.</param>
/// <param name="LdmatrixConflicts">Those of ldmatrix alone.</param>
/// <param name="WarpInstructions">Instructions that warps ran.</param>
public sealed record SimulatorCounters(
    long Launches, long LoadBytes, long StoreBytes, long LoadSectorBytes, long StoreSectorBytes, long UniqueLoadBytes, long UniqueStoreBytes,
    long Flops, long MmaFlops, long BankConflicts, long LdmatrixConflicts, long WarpInstructions)
{
    /// <summary>Nothing.</summary>
    public static SimulatorCounters Zero { get; } = new(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

    /// <summary>Tensor-core instructions of warps.</summary>
    public long Mma { get; init; }

    /// <summary>Bytes of the sectors that warps ask the caches for, each time: what several blocks read counts for each of them.</summary>
    public long SectorBytes => LoadSectorBytes + StoreSectorBytes;

    /// <summary>Bytes of global memory that a launch reads or writes at all.</summary>
    public long UniqueBytes => UniqueLoadBytes + UniqueStoreBytes;

    /// <summary>Both together.</summary>
    public static SimulatorCounters operator +(SimulatorCounters a, SimulatorCounters b) => Add(a, b);

    /// <summary>Both together.</summary>
    public static SimulatorCounters Add(SimulatorCounters left, SimulatorCounters right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        return new SimulatorCounters(
            left.Launches + right.Launches, left.LoadBytes + right.LoadBytes, left.StoreBytes + right.StoreBytes, left.LoadSectorBytes + right.LoadSectorBytes,
            left.StoreSectorBytes + right.StoreSectorBytes, left.UniqueLoadBytes + right.UniqueLoadBytes, left.UniqueStoreBytes + right.UniqueStoreBytes,
            left.Flops + right.Flops, left.MmaFlops + right.MmaFlops, left.BankConflicts + right.BankConflicts, left.LdmatrixConflicts + right.LdmatrixConflicts,
            left.WarpInstructions + right.WarpInstructions)
        {
            Mma = left.Mma + right.Mma,
        };
    }

    internal static SimulatorCounters Read(JsonElement json)
    {
        long Value(string name) => json.GetProperty(name).GetInt64();
        return new SimulatorCounters(
            Value("launches"), Value("global_load_bytes"), Value("global_store_bytes"), 32 * Value("global_load_sectors"), 32 * Value("global_store_sectors"),
            Value("global_load_unique_bytes"), Value("global_store_unique_bytes"), Value("flops"), Value("mma_flops"),
            Value("shared_load_conflicts") + Value("shared_store_conflicts"), Value("ldmatrix_conflicts"), Value("warp_instructions"))
        {
            Mma = Value("mma"),
        };
    }
}
