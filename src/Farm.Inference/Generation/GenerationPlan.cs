using Farm.Core;
using Farm.Models.Llama;

namespace Farm.Inference;

/// <summary>The sizes of a generation, settled before anything is allocated.</summary>
/// <param name="BatchSequences">Most samples decoded at once.</param>
/// <param name="Rows">Rows of the largest pass.</param>
/// <param name="Pages">K/V pages reserved.</param>
/// <param name="Memory">What it all takes.</param>
public sealed record GenerationPlan(int BatchSequences, int Rows, int Pages, MemoryPlan Memory)
{
    /// <summary>Plans the generation of <paramref name="prompts"/>.</summary>
    /// <exception cref="BadInputException">The memory for keys and values does not hold one sample of the longest prompt.</exception>
    public static GenerationPlan For(LlamaModel model, GenerationOptions options, IReadOnlyList<Prompt> prompts)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(prompts);
        var shape = model.KvShape(options.KvType);
        long pageBytes = MemoryPlan.KvBytesPerToken(model.Config, shape.DType) * KvPool.PageTokens;
        long budget = Math.Min((options.KvBudgetBytes ?? FreeMemory.ForKeysAndValues(model.Backend)) / pageBytes, int.MaxValue / KvPool.PageTokens);

        int promptPages = 1, samplePages = 0, longest = 0;
        foreach (var prompt in prompts)
        {
            int limit = Math.Min(options.MaxNewTokens, model.MaxPositions - prompt.Ids.Length);
            promptPages = Math.Max(promptPages, KvPool.PagesFor(prompt.Ids.Length));
            samplePages = Math.Max(samplePages, RunningSample.PagesFor(limit));
            longest = Math.Max(longest, prompt.Ids.Length);
        }

        if (promptPages + samplePages > budget)
        {
            throw new BadInputException(
                $"One sample of a prompt of {longest} tokens needs {FreeMemory.Mebibytes((promptPages + samplePages) * pageBytes)} MiB for keys and values, but there are {budget * pageBytes >> 20} MiB. Use shorter prompts, fewer new tokens (--max-new-tokens) or smaller weights (--dtype int8).");
        }

        long samples = Math.Max(1, (long)prompts.Count * options.NumReturnSequences);
        int wanted = options.BatchSequences > 0 ? options.BatchSequences : Generator.WidestBatch;
        int batch = (int)Math.Min(wanted, samples);
        while (options.BatchSequences == 0 && batch > 1 && PagesOf(batch) > budget)
        {
            batch--;
        }

        int pages = (int)Math.Min(PagesOf(batch), budget);
        int rows = Math.Max(batch, Math.Min(options.PrefillRows, checked((int)Math.Min(int.MaxValue, (long)longest * Math.Min(batch, prompts.Count)))));
        var memory = new MemoryPlan(model.WeightBytes, pages * pageBytes, LlamaWorkspace.BytesFor(model.Config, rows, batch));
        return new GenerationPlan(batch, rows, pages, memory);

        // Each running sample owns its pages. Prompts with running samples are at most as many as the samples, and one more waits to begin.
        long PagesOf(int width) => ((long)width * samplePages) + ((long)Math.Min(width + 1, Math.Max(prompts.Count, 1)) * promptPages);
    }
}
