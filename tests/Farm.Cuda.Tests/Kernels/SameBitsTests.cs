using Farm.Cli.Kernels;
using Farm.Core;

namespace Farm.Cuda.Tests.Kernels;

/// <summary>What a row gets does not depend, to the bit, on the rows and prompts beside it: other kernels and other splits of the work give the same.</summary>
public sealed class SameBitsTests
{
    // Rows that fill no tile of 16, 64 or 128; features that fill no unit of 64, of four and of sixteen and more segments.
    public static IEnumerable<object[]> Products() =>
        from type in new (DType Type, bool Rounded)[] { (DType.F32, false), (DType.I8, false), (DType.BF16, false), (DType.BF16, true) }
        from shape in new (int Rows, int Inner, LinearLayout Layout)[] { (141, 200, LinearLayout.Concatenated), (141, 256, LinearLayout.GateUp), (261, 1003, LinearLayout.Concatenated) }
        select new object[] { type.Type, type.Rounded, shape.Layout, shape.Rows, shape.Inner };

    [Theory]
    [MemberData(nameof(Products))]
    public void A_product_gives_a_row_the_same_bits_among_few_rows_and_many(DType type, bool rounded, LinearLayout layout, int rows, int inner)
    {
        const int Outer = 72;
        foreach (bool eager in new[] { false, true })
        {
            using var settings = Simulated.Backend(eager);
            using var backend = new CudaBackend(simulator: true, bf16Activations: rounded);
            using var operands = new CaseOperands(backend);
            Tensor x = operands.Real(rows, inner), norm = operands.Real(1, inner);
            var weight = operands.Weight(Outer, inner, type, layout);
            foreach (var gain in new[] { default, norm })
            {
                var all = operands.Zero(rows, Outer);
                backend.Linear(x, weight, all, normWeight: gain, normEpsilon: 1e-5f);
                float[] want = operands.Read(all);
                foreach (int count in new[] { 1, 5, 33, 50, 65, 127, 129 })
                {
                    int first = rows - count;
                    var some = operands.Zero(count, Outer);
                    backend.Linear(x.SliceRows(first, count), weight, some, normWeight: gain, normEpsilon: 1e-5f);
                    Assert.Equal(want[(first * Outer)..], operands.Read(some));
                }
            }
        }
    }

    [Theory]
    [InlineData(DType.BF16, 1)]
    [InlineData(DType.BF16, 4)]
    [InlineData(DType.F32, 1)]
    [InlineData(DType.F32, 4)]
    public void Attention_has_the_same_bits_split_over_spans_and_walked_whole(DType storage, int headsPerKv)
    {
        var model = new ModelShape("heads", 64, 64, 2 * headsPerKv, 2, 64, 100, 1);
        int span = AttentionCut.PromptSpan(headsPerKv);
        // A shared prompt of three spans, and a sequence of its own of as many.
        (int Prefix, (int Queries, int Suffix)[] Sequences)[] groups = [((2 * span) + 70, [(1, 30), (1, 7), (2, 50)]), (0, [(1, (2 * span) + 9)])];
        Assert.Equal(Attend(model, groups, storage, multiprocessors: 108, eager: false), Attend(model, groups, storage, multiprocessors: 1, eager: false));
    }

    // With three heads 81 and 36 rows: blocks for 16, 32, 64 and 128 of them, by how many multiprocessors there are to keep busy. A prompt of two samples alone
    // leaves partial results, of its spans or of all of it.
    [Theory]
    [InlineData(3, 32)]
    [InlineData(3, 64)]
    [InlineData(3, 80)]
    [InlineData(1, 64)]
    public void Samples_of_a_prompt_have_the_same_bits_in_blocks_of_any_number_of_rows(int headsPerKv, int dim)
    {
        const int Samples = 27;
        var model = new ModelShape("heads", 64, 64, 2 * headsPerKv, 2, dim, 100, 1);
        int span = AttentionCut.PromptSpan(headsPerKv);
        (int, int)[] own = [.. Enumerable.Range(0, Samples).Select(s => (1, s == 1 ? span + 9 : 1 + (s * 5)))];
        (int Prefix, (int Queries, int Suffix)[] Sequences)[] groups = [((2 * span) + 70, own), (33, own[..12])];
        float[] want = Attend(model, groups, DType.BF16, multiprocessors: 1, eager: false);
        foreach (int multiprocessors in new[] { 5, 7, 100 })
        {
            Assert.Equal(want, Attend(model, groups, DType.BF16, multiprocessors, eager: multiprocessors == 7));
        }

        foreach (int multiprocessors in new[] { 1, 100 })
        {
            Assert.Equal(want[..(2 * model.QueryWidth)], Attend(model, groups, DType.BF16, multiprocessors, eager: true, [(groups[0].Prefix, own[..2])]));
        }
    }

    // The pages and queries are those of `groups`; `only` takes the first of them.
    private static float[] Attend(
        ModelShape model, (int Prefix, (int Queries, int Suffix)[] Sequences)[] groups, DType storage, int multiprocessors, bool eager, (int Prefix, (int Queries, int Suffix)[] Sequences)[]? only = null)
    {
        using var backend = Simulated.Backend(eager);
        backend.AttentionMultiprocessors = multiprocessors;
        using var operands = new CaseOperands(backend);
        var cache = new CaseCache(operands, model, groups.Sum(g => CaseCache.Rounded(g.Prefix) + g.Sequences.Sum(s => CaseCache.Rounded(s.Suffix))), storage);
        cache.AppendAll(model);
        int rows = (only ?? groups).Sum(g => g.Sequences.Sum(s => s.Queries));
        var queries = operands.Real(groups.Sum(g => g.Sequences.Sum(s => s.Queries)), model.QueryWidth).SliceRows(0, rows);
        var y = operands.Zero(rows, model.QueryWidth);
        backend.Attention(queries, model.Heads, cache.Pool, 0, cache.Plan(only ?? groups), 0.125f, y);
        return operands.Read(y);
    }
}
