using System.Globalization;
using Farm.Core;

namespace Farm.Cli.Kernels;

/// <summary>What best-of-n takes of a GPU's memory, known before anything is allocated: policy and reward model in bf16, the prompt's keys and values once.</summary>
/// <param name="Model">Shape of both models.</param>
/// <param name="Prompts">Prompts in flight.</param>
/// <param name="Samples">Samples of each.</param>
/// <param name="PromptTokens">Tokens of a prompt.</param>
/// <param name="NewTokens">Most tokens of a response.</param>
internal sealed record BestOfNMemory(ModelShape Model, int Prompts, int Samples, int PromptTokens, int NewTokens)
{
    private const int PrefillRows = 2048;

    /// <summary>Weights of one model: layers, language head and embedding table.</summary>
    public long Weights => 2 * ((Model.LayerElements * Model.Layers) + (2L * Model.Hidden * Model.Vocabulary));

    /// <summary>Keys and values of a page over all layers.</summary>
    public long PageBytes => 2L * 2 * Model.Layers * Model.KvHeads * Model.HeadDim * KvPool.PageTokens;

    /// <summary>Keys and values of the prompts, each stored once.</summary>
    public long PromptBytes => (long)Prompts * KvPool.PagesFor(PromptTokens) * PageBytes;

    /// <summary>Keys and values of the samples' own tokens.</summary>
    public long SampleBytes => (long)Prompts * Samples * KvPool.PagesFor(NewTokens) * PageBytes;

    /// <summary>Activations and logits of the largest pass.</summary>
    public long Activations
    {
        get
        {
            long rows = Math.Max(PrefillRows, (long)Prompts * Samples);
            return 4 * ((rows * (Model.Hidden + Model.QkvWidth + Model.QueryWidth + Model.Intermediate)) + ((long)Prompts * Samples * Model.Vocabulary));
        }
    }

    /// <summary>All of it, two models.</summary>
    public long Total => (2 * Weights) + PromptBytes + SampleBytes + Activations;

    /// <summary>What it would be if every sample held its prompt's keys and values.</summary>
    public long Unshared => Total + ((Samples - 1) * PromptBytes);

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Model.Name}, best of {Samples}, {Prompts} prompts in flight, {PromptTokens} prompt and {NewTokens} new tokens: policy and reward model {2 * Weights / 1e9:F1} GB, prompts' keys and values {PromptBytes / 1e9:F1} GB (stored once), samples' {SampleBytes / 1e9:F1} GB, activations {Activations / 1e9:F1} GB; {Total / 1e9:F1} GB together, {Unshared / 1e9:F1} GB if every sample held its prompt");
}
