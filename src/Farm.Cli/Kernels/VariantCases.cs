using Farm.Core;

namespace Farm.Cli.Kernels;

/// <summary>Shapes that choose the variants of kernels that the models' shapes leave out: other tile classes, head sizes, storage types and small vocabularies.</summary>
internal static class VariantCases
{
    /// <summary>Columns that give every multiprocessor of a large GPU a block of 64.</summary>
    private const int Wide = 64 * Multiprocessors;

    private const int Multiprocessors = 160;

    /// <summary>All of them.</summary>
    public static IEnumerable<KernelCase> All()
    {
        foreach (var type in new[] { DType.BF16, DType.I8 })
        {
            foreach (var (rows, columns) in new[] { (16, Wide), (20, Wide), (20, 256), (40, 256) })
            {
                yield return InferenceCases.Linear("linear", 64, columns, rows, type);
            }
        }

        // Few rows and many for the dense products of float32.
        yield return InferenceCases.Linear("linear", 100, 200, 40, DType.F32);
        yield return InferenceCases.Linear("linear", 128, 256, 150, DType.F32);

        var few = new ModelShape("few", 256, 512, 4, 4, 64, 100, 1);
        var grouped = new ModelShape("grouped", 256, 512, 4, 1, 64, 100, 1);
        var large = new ModelShape("large", 256, 512, 2, 2, 128, 100, 1);
        foreach (var storage in new[] { DType.BF16, DType.F32 })
        {
            yield return InferenceCases.AttentionDecode(few, 3, 150, 20, storage);
            yield return InferenceCases.AttentionDecode(grouped, 16, 150, 20, storage);
            yield return InferenceCases.AttentionDecode(grouped, 7, 150, 20, storage);
            yield return InferenceCases.AttentionDecode(large, 20, 600, 20, storage);
            yield return InferenceCases.AttentionPrefill(grouped, 70, storage);
            yield return InferenceCases.AttentionDecode(large, 3, 150, 20, storage);
        }

        foreach (int width in new[] { 32, 64, 128 })
        {
            // Prompts with few rows, cut into spans, and short prefills: blocks of one and two warps.
            var narrow = new ModelShape("narrow", 256, 512, 4, 1, width, 100, 1);
            yield return InferenceCases.AttentionDecode(narrow, 2, 600, 20, DType.BF16);
            yield return InferenceCases.AttentionDecode(narrow, 7, 150, 20, DType.BF16);
            yield return InferenceCases.AttentionPrefill(narrow, 3, DType.BF16);
            yield return InferenceCases.AttentionPrefill(narrow, 7, DType.BF16);
            // As many heads of prompts as multiprocessors: blocks for 128, 64 and 32 rows, not quite full.
            var heads = new ModelShape("heads", 256, 512, 32, 4, width, 100, 1);
            foreach (int samples in new[] { 9, 5, 3 })
            {
                yield return InferenceCases.AttentionPrompts(heads, Multiprocessors / 4, samples, 20, 3, DType.BF16);
            }
        }

        yield return InferenceCases.Embedding(9, few, DType.BF16);
        yield return InferenceCases.EmbeddingPacked(9, few, DType.F32);
        yield return InferenceCases.GatherRows(9, 40, DType.BF16);
        yield return InferenceCases.Sample(5, 100, new SamplingParameters { Temperature = 0.8f, TopK = 20 }, "a small vocabulary");
        yield return InferenceCases.LogProb(5, 100);
    }
}
