using Farm.Cli.Kernels;
using Farm.Core;
using Farm.Cuda.Driver;

namespace Farm.Cuda.Tests.Kernels;

/// <summary>
/// What the kernels move, by the simulator's counters: bytes of the distinct 32-byte sectors that a launch touches are what memory is asked for while the
/// caches hold what blocks read again.
/// </summary>
public sealed class TrafficTests
{
    private static readonly ModelShape Llama7B = ModelShape.Parse("llama-7b");

    // A slice of LLaMA-7B's columns: bytes are the same for each column, and a simulated layer takes seconds.
    [Theory]
    [InlineData(4096, 1024, DType.BF16)]
    [InlineData(11008, 512, DType.BF16)]
    [InlineData(4096, 1024, DType.I8)]
    public void A_skinny_product_reads_weights_and_rows_once(int inner, int outer, DType type)
    {
        using var backend = Simulated.Backend();
        using var operands = new CaseOperands(backend);
        var (x, y, weight) = (operands.Real(16, inner), operands.Zero(16, outer), operands.Weight(outer, inner, type));
        var counted = Sum(Simulated.Count(backend, () => backend.Linear(x, weight, y)));
        double least = weight.Bytes + (4.0 * 16 * (inner + outer));
        Assert.Equal(1, counted.Launches);
        Assert.InRange(counted.UniqueBytes / least, 0.99, 1.03);
        if (type == DType.BF16)
        {
            // Blocks of 32 columns read the rows again from the caches, and each warp its last 512 bytes of a column; the weights pass through once.
            double rows = 16.0 * inner * 4 * (outer / 32.0), ends = 8 * 512.0 * (outer / 8);
            Assert.InRange(counted.LoadBytes, weight.Bytes, (weight.Bytes + rows + ends) * 1.01);
        }

        Assert.Equal(0, counted.BankConflicts);
    }

    [Fact]
    public void Group_decode_attention_reads_the_prefix_once_for_all_samples()
    {
        const int Samples = 16, Prefix = 2048, Suffix = 40, Heads = 4;
        var model = Llama7B with { Heads = Heads, KvHeads = Heads };
        var counted = Attention(model, CaseCache.Rounded(Prefix) + (Samples * CaseCache.Rounded(Suffix)), Prefix, [.. Enumerable.Repeat((1, Suffix), Samples)], out var least);
        double prefixBytes = 2.0 * Prefix * Heads * model.HeadDim * 2;
        // Once for each sample it would be read 16 times.
        Assert.InRange(counted.LoadSectorBytes, prefixBytes, 2 * prefixBytes);
        Assert.InRange(counted.UniqueBytes / least, 0.95, 1.1);
        Assert.Equal(0, counted.BankConflicts);
    }

    [Fact]
    public void Prefill_attention_stays_near_the_least_bytes_of_its_tiles()
    {
        const int Tokens = 512;
        var model = Llama7B with { Heads = 2, KvHeads = 2 };
        var counted = Attention(model, Tokens, 0, [(Tokens, Tokens)], out var least);
        Assert.InRange(counted.UniqueBytes / least, 0.95, 1.3);
        // FlashAttention's tiles of 64 queries read the keys and values up to their diagonal; nothing of size [T, T] is written.
        double tiles = Tokens / 64, keys = 2.0 * Tokens * model.KvHeads * model.HeadDim * 2, tiled = (4.0 * Tokens * model.QueryWidth) + (keys * (tiles + 1) / 2);
        Assert.InRange(counted.LoadSectorBytes / tiled, 0.9, 1.3);
        Assert.InRange(counted.StoreBytes, 4L * Tokens * model.QueryWidth, (long)(4.4 * Tokens * model.QueryWidth));
        Assert.Equal(0, counted.BankConflicts);
    }

    [Fact]
    public void Dense_products_have_no_bank_conflicts()
    {
        using var backend = Simulated.Backend();
        using var operands = new CaseOperands(backend);
        Tensor a = operands.Real(256, 512), c = operands.Zero(256, 256), b = operands.Real(256, 512), half = operands.Zero(256, 512, DType.BF16);
        backend.Copy(b, half);
        var counted = Simulated.Count(backend, () => backend.MatMul(a, false, half, true, c));
        Assert.All(counted, k => Assert.True(k.Value.LdmatrixConflicts == 0, $"{k.Key}: {k.Value.LdmatrixConflicts} conflicts"));
        Assert.True(Sum(counted).MmaFlops >= 2L * 256 * 256 * 512);
    }

    private static SimulatorCounters Attention(ModelShape model, int tokens, int prefix, (int Queries, int Suffix)[] sequences, out double least)
    {
        using var backend = Simulated.Backend();
        using var operands = new CaseOperands(backend);
        var cache = new CaseCache(operands, model, tokens, DType.BF16);
        cache.AppendAll(model);
        int rows = sequences.Sum(s => s.Queries);
        Tensor queries = operands.Real(rows, model.QueryWidth), y = operands.Zero(rows, model.QueryWidth);
        var plan = cache.Plan(prefix, sequences);
        least = (8.0 * rows * model.QueryWidth) + (2.0 * (prefix + sequences.Sum(s => s.Suffix)) * model.KvHeads * model.HeadDim * 2);
        return Sum(Simulated.Count(backend, () => backend.Attention(queries, model.Heads, cache.Pool, 0, plan, 0.09f, y)));
    }

    private static SimulatorCounters Sum(IReadOnlyDictionary<string, SimulatorCounters> counted) => counted.Values.Aggregate(SimulatorCounters.Zero, SimulatorCounters.Add);
}
