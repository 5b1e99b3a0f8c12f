using Farm.Cli.Kernels;
using Farm.Core;
using Farm.Cuda.Driver;
using Xunit.Abstractions;

namespace Farm.Cuda.Tests.Kernels;

/// <summary>
/// What the kernels move, by the simulator's counters. Two numbers: "memory", the distinct sectors of 32 bytes that a launch touches, each once, which is what
/// memory is asked for while the L2 cache holds what blocks read again; and "cache", the sectors of every warp's every request, which is what L2 is asked
/// for: what several blocks read counts for each of them. The bars are of memory; where the design leans on L2, both are stated.
/// </summary>
public sealed class TrafficTests(ITestOutputHelper output)
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

    public static IEnumerable<object[]> Decodes() =>
        from heads in new[] { 1, 4, 8 }
        from samples in new[] { 1, 4, 16, 32 }
        from prompts in new[] { 1, 3 }
        select new object[] { heads, samples, prompts };

    // One key/value head is simulated, on its share of the multiprocessors of an A100: what a head moves does not depend on how many there are.
    [Theory]
    [MemberData(nameof(Decodes))]
    public void Group_decode_attention_reads_the_prefix_once_for_all_samples(int headsPerKv, int samples, int prompts)
    {
        int kvHeads = headsPerKv == 1 ? 32 : 8, rows = samples * headsPerKv;
        var model = Llama7B with { Heads = headsPerKv, KvHeads = 1 };
        int[] prefixes = prompts == 1 ? [2048] : [700, 33, 257];
        (int Prefix, (int, int)[] Sequences)[] groups = [.. prefixes.Select((p, i) => (p, Enumerable.Range(0, samples).Select(s => (1, 40 + (i * 7) + s)).ToArray()))];
        var kernels = Attention(model, groups, (108 + kvHeads - 1) / kvHeads, out var least);
        var counted = Sum(kernels);
        output.WriteLine($"{prompts} prompts, {samples} samples, {headsPerKv} heads: memory {counted.UniqueBytes / least:F3}, cache {counted.SectorBytes / least:F3} of {least:F0}; {string.Join(", ", kernels.Where(k => k.Value.Launches > 0).Select(k => k.Key))}");

        // Prompts of few rows are cut into spans: dim + 2 floats for each row and span, written and read again, and queries read by both launches.
        int span = AttentionCut.PromptSpan(headsPerKv);
        double partials = rows * 24 > span ? 0 : prefixes.Sum(p => ((p + span - 1) / span * 8.0 * rows * (model.HeadDim + 2)) + (4.0 * rows * model.HeadDim));

        Assert.InRange(counted.UniqueBytes / (least + partials), 0.98, 1.03);
        if (prompts == 1 && samples == 16)
        {
            Assert.InRange(counted.UniqueBytes / least, 0.98, 1.1);
        }

        // Blocks of 16 rows, or more where prompts enough are in flight, each ask the cache for the prefix. Queries and outputs pass in halves of a sector.
        double tiles = Math.Ceiling(rows / 16.0), prefixBytes = 4.0 * prefixes.Sum() * model.HeadDim;
        Assert.InRange(counted.SectorBytes / (least + (2 * partials)), 0.95, 1.3 * (least + (2 * partials) + ((tiles - 1) * prefixBytes)) / (least + (2 * partials)));
        Assert.Equal(0, counted.BankConflicts);
    }

    [Theory]
    [InlineData(4, 1, 14)]
    [InlineData(4, 2, 2)]
    [InlineData(4, 4, 1)]
    [InlineData(8, 1, 14)]
    [InlineData(8, 2, 4)]
    [InlineData(8, 4, 2)]
    [InlineData(8, 8, 1)]
    public void The_more_prompts_are_in_flight_the_fewer_blocks_ask_the_cache_for_each(int headsPerKv, int tiles, int multiprocessors)
    {
        const int Samples = 16, Prefix = 2048;
        var model = Llama7B with { Heads = headsPerKv, KvHeads = 1 };
        var kernels = Attention(model, [(Prefix, [.. Enumerable.Range(0, Samples).Select(s => (1, 40 + s))])], multiprocessors, out var least);
        Assert.Equal($"attention_group_bf16_d128_t{tiles}", Assert.Single(kernels, k => k.Value.Launches > 0).Key);
        var counted = Sum(kernels);
        double blocks = Samples * headsPerKv / (16.0 * tiles), prefixBytes = 4.0 * Prefix * model.HeadDim;
        output.WriteLine($"{headsPerKv} heads, {tiles} x 16 rows: memory {counted.UniqueBytes / least:F3}, cache {counted.SectorBytes / least:F3}");
        Assert.InRange(counted.UniqueBytes / least, 0.98, 1.02);
        Assert.InRange(counted.LoadSectorBytes / (least + ((blocks - 1) * prefixBytes)), 0.9, 1.1);
        Assert.Equal(0, counted.BankConflicts);
    }

    public static IEnumerable<object[]> DenseProducts() =>
        from product in new (DType Type, bool Rounded, int Rows)[] { (DType.F32, false, 128), (DType.F32, false, 50), (DType.I8, false, 256), (DType.BF16, false, 256), (DType.BF16, true, 256), (DType.BF16, true, 200) }
        from norm in new[] { false, true }
        select new object[] { product.Type, product.Rounded, product.Rows, norm };

    // Memory: weights, rows and outputs once, prepared rows written and read. Cache: weights once for each tile of rows, prepared rows once for each 128 columns,
    // rows as they come once however many columns there are.
    [Theory]
    [MemberData(nameof(DenseProducts))]
    public void A_dense_product_prepares_rows_once_and_reads_them_once_for_each_tile_of_columns(DType type, bool rounded, int rows, bool norm)
    {
        const int Inner = 512, Units = Inner / 64, Outer = 256;
        using var settings = Simulated.Backend();
        using var backend = new CudaBackend(simulator: true, bf16Activations: rounded);
        using var operands = new CaseOperands(backend);
        var (x, y, weight, gain) = (operands.Real(rows, Inner), operands.Zero(rows, Outer), operands.Weight(Outer, Inner, type), operands.Real(1, Inner));
        var product = Assert.Single(Simulated.Count(backend, () => backend.Linear(x, weight, y, normWeight: norm ? gain : default, normEpsilon: 1e-5f))).Value;
        int tile = type == DType.F32 && rows <= 64 ? 64 : 128, tiles = (rows + tile - 1) / tile, padded = (rows + 15) / 16 * 16;
        // An int8 row has a scale of four bytes for 64 features, a row of three terms of bf16 six bytes a feature; rows are prepared in whole tiles of 16.
        double rowBytes = type == DType.F32 ? 4.0 * Inner : type == DType.I8 ? Inner * 17 / 16.0 : (rounded ? 2.0 : 6.0) * Inner;
        bool prepares = type != DType.F32 || norm;
        double tiled = (weight.Bytes * tiles) + (tile * tiles * rowBytes * (Outer / 128.0)), preparation = prepares ? 4.0 * padded * Inner : 0;
        // Sixteen rows share a load of the norm's weight, whose 32 bytes each of their eight groups of lanes asks for; a block reads its rows' sums of squares.
        double normBytes = norm ? (padded / 16 * Units * 8 * 256) + (tiles * (Outer / 128) * tile * 8 * 4) : 0;
        Assert.Equal(1, product.Launches);
        Assert.Equal(tiled + preparation + normBytes, product.LoadBytes);
        double least = weight.Bytes + (4.0 * rows * (Inner + Outer)), kept = prepares ? (padded + (type == DType.F32 ? rows : padded)) * rowBytes : 0;
        Assert.InRange(product.UniqueBytes / (least + kept + (norm ? (2 * 4 * 8 * padded) + (4 * Inner) : 0)), 0.99, 1.01);
        Assert.Equal(0, product.BankConflicts);
        Assert.Equal(type == DType.F32 ? 0 : 1, Math.Sign(product.Mma));
    }

    // The count is a kernel's, not of how often a block that waits for others looks whether they are done.
    [Fact]
    public void A_dense_product_moves_the_same_bytes_each_time()
    {
        using var backend = Simulated.Backend();
        using var operands = new CaseOperands(backend);
        var (x, y, weight) = (operands.Real(300, 256), operands.Zero(300, 384), operands.Weight(384, 256, DType.I8));
        var counts = Enumerable.Range(0, 4).Select(_ => Assert.Single(Simulated.Count(backend, () => backend.Linear(x, weight, y))).Value with { WarpInstructions = 0 }).Distinct();
        Assert.Single(counts);
    }

    [Fact]
    public void Prefill_attention_stays_near_the_least_bytes_of_its_tiles()
    {
        const int Tokens = 512;
        var model = Llama7B with { Heads = 2, KvHeads = 2 };
        var counted = Sum(Attention(model, [(0, [(Tokens, Tokens)])], 0, out var least));
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

    private static IReadOnlyDictionary<string, SimulatorCounters> Attention(ModelShape model, (int Prefix, (int Queries, int Suffix)[] Sequences)[] groups, int multiprocessors, out double least)
    {
        using var backend = Simulated.Backend();
        backend.AttentionMultiprocessors = multiprocessors;
        using var operands = new CaseOperands(backend);
        var cache = new CaseCache(operands, model, groups.Sum(g => CaseCache.Rounded(g.Prefix) + g.Sequences.Sum(s => CaseCache.Rounded(s.Suffix))), DType.BF16);
        cache.AppendAll(model);
        int rows = groups.Sum(g => g.Sequences.Sum(s => s.Queries));
        Tensor queries = operands.Real(rows, model.QueryWidth), y = operands.Zero(rows, model.QueryWidth);
        var plan = cache.Plan(groups);
        least = (8.0 * rows * model.QueryWidth) + (2.0 * groups.Sum(g => g.Prefix + g.Sequences.Sum(s => s.Suffix)) * model.KvHeads * model.HeadDim * 2);
        return Simulated.Count(backend, () => backend.Attention(queries, model.Heads, cache.Pool, 0, plan, 0.09f, y));
    }

    private static SimulatorCounters Sum(IReadOnlyDictionary<string, SimulatorCounters> counted) => counted.Values.Aggregate(SimulatorCounters.Zero, SimulatorCounters.Add);
}
