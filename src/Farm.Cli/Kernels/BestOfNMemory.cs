using System.Globalization;
using System.Numerics;
using Farm.Core;
using Farm.Models.Llama;

namespace Farm.Cli.Kernels;

/// <summary>
/// What best-of-n takes of a GPU's memory, known before anything is allocated: policy and reward model, the keys and values of prompts (each stored once) and of
/// responses in whole pages, and the buffers of the largest pass. The same sums that the engine allocates by.
/// </summary>
/// <param name="Model">Shape of both models.</param>
/// <param name="Prompts">Prompts in flight.</param>
/// <param name="Samples">Samples of each.</param>
/// <param name="PromptTokens">Tokens of a prompt.</param>
/// <param name="NewTokens">Most tokens of a response.</param>
/// <param name="Type">Storage of the weights; keys and values are BF16.</param>
internal sealed record BestOfNMemory(ModelShape Model, int Prompts, int Samples, int PromptTokens, int NewTokens, DType Type = DType.BF16)
{
    // Rows of a prefill pass and of a scoring pass, and sequences that are scored at a time (GenerationOptions, ScorerOptions).
    private const int PassRows = 512, ScoredSequences = 128;

    /// <summary>The driver's context and the compiled kernels: assumed, the driver tells only when it runs.</summary>
    public const long DriverBytes = 1_000_000_000;

    /// <summary>Weights and tables of the policy.</summary>
    public long Policy => MemoryPlan.WeightBytes(Model.Config, Type);

    /// <summary>Weights and tables of the reward model, which has no language head.</summary>
    public long Reward => MemoryPlan.WeightBytes(Model.Config, Type, languageHead: false) + (4L * Model.Hidden);

    /// <summary>Keys and values of a page over all layers.</summary>
    public long PageBytes => MemoryPlan.KvBytesPerToken(Model.Config, DType.BF16) * KvPool.PageTokens;

    /// <summary>Keys and values of the prompts, each stored once.</summary>
    public long PromptBytes => (long)Prompts * KvPool.PagesFor(PromptTokens) * PageBytes;

    /// <summary>Keys and values of the samples' own tokens; the last token's are never computed.</summary>
    public long SampleBytes => (long)Sequences * KvPool.PagesFor(NewTokens - 1) * PageBytes;

    /// <summary>Keys and values of one prompt with its responses while the reward model reads them; with more memory it takes more at a time.</summary>
    public long ScoringBytes => (KvPool.PagesFor(PromptTokens) + ((long)Samples * KvPool.PagesFor(NewTokens))) * PageBytes;

    /// <summary>Activations and logits of the policy's and of the reward model's largest pass.</summary>
    public long Activations => LlamaWorkspace.BytesFor(Model.Config, GenerationRows, Sequences) + LlamaWorkspace.BytesFor(Model.Config, PassRows, 0)
        + (4L * Model.Hidden * (Sequences + 1 + ScoredSequences)) + (20L * Sequences);

    /// <summary>
    /// What the kernels of one operation hand each other: the rows of a dense product as three terms of bf16, or the partial results of attention over a prompt and
    /// responses, rounded up to a power of two: at most as many as said here, since one prompt's spans may be walked as one.
    /// </summary>
    public long Scratch
    {
        get
        {
            long rows = Math.Max(GenerationRows, PassRows), widest = Math.Max(Model.Intermediate, Model.QueryWidth);
            long packed = Type == DType.BF16 ? rows * widest * 3 * sizeof(ushort) : 0;
            // A scoring pass attends from the tokens of several responses to their prompt and their own.
            long queries = Math.Max(Sequences, Math.Min(PassRows, (long)Samples * NewTokens)), parts = Spans(PromptTokens) + Spans(NewTokens);
            long partials = (long)BitOperations.RoundUpToPowerOf2((ulong)(queries * Model.Heads * parts));
            return Math.Max(packed, partials * (Model.HeadDim + 2) * sizeof(float));
        }
    }

    /// <summary>What the engine allocates.</summary>
    public long Allocated => Policy + Reward + PromptBytes + SampleBytes + ScoringBytes + Activations + Scratch;

    /// <summary>That and the driver's own.</summary>
    public long Total => Allocated + DriverBytes;

    /// <summary>What it would be if every sample held its prompt's keys and values.</summary>
    public long Unshared => Total + ((Samples - 1) * PromptBytes);

    private int Sequences => checked(Prompts * Samples);

    private int GenerationRows => Math.Max(Sequences, (int)Math.Min(PassRows, (long)PromptTokens * Prompts));

    /// <summary>The most prompts in flight that a card holds; 0 for none.</summary>
    public int MostPrompts(double cardBytes)
    {
        int low = 0, high = 1 << 16;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            (low, high) = (this with { Prompts = middle }).Total <= cardBytes ? (middle, high) : (low, middle - 1);
        }

        return low;
    }

    /// <summary>Whether it fits a card, how many prompts in flight do, and where it does not, what to change.</summary>
    public IEnumerable<string> Verdict(double cardBytes)
    {
        int most = MostPrompts(cardBytes);
        yield return string.Create(CultureInfo.InvariantCulture,
            $"{(Total <= cardBytes ? "fits" : "does not fit")} a card of {cardBytes / 1e9:F0} GB; {Count(most)} in flight would; planned, not yet run on a GPU");
        if (Total <= cardBytes)
        {
            yield break;
        }

        if (most > 0)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"to change: {Count(most)} in flight (--batch-sequences {most * Samples}); no result depends on it");
        }

        if (Type != DType.I8 && (this with { Type = DType.I8 }).MostPrompts(cardBytes) is > 0 and var narrow && narrow > most)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"to change: 8-bit weights (--dtype int8): {Count(narrow)} in flight");
        }

        // A page less of each response, down to the first.
        for (int pages = KvPool.PagesFor(NewTokens - 1) - 1; pages > 0; pages--)
        {
            int tokens = (pages * KvPool.PageTokens) + 1, shorter = (this with { NewTokens = tokens }).MostPrompts(cardBytes);
            if (shorter >= Prompts || pages == 1)
            {
                yield return string.Create(CultureInfo.InvariantCulture, $"to change: responses of at most {tokens} tokens (--max-new-tokens {tokens}): {Count(shorter)} in flight");
                yield break;
            }
        }
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Model.Name} {Type.Name()}, best of {Samples}, {Prompts} prompts in flight, {PromptTokens} prompt and {NewTokens} new tokens: policy {Policy / 1e9:F1} GB, reward model {Reward / 1e9:F1} GB, prompts' keys and values {PromptBytes / 1e9:F1} GB (stored once), responses' {SampleBytes / 1e9:F1} GB, scoring {ScoringBytes / 1e9:F1} GB, activations {(Activations + Scratch) / 1e9:F1} GB, driver {DriverBytes / 1e9:F1} GB (assumed); {Total / 1e9:F1} GB together, {Unshared / 1e9:F1} GB if every sample held its prompt");

    private static int Spans(int tokens) => (tokens + 255) / 256;

    private static string Count(int prompts) => prompts == 1 ? "1 prompt" : string.Create(CultureInfo.InvariantCulture, $"{prompts} prompts");
}
