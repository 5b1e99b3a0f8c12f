using Farm.Core;
using Farm.Models.Llama;
using Farm.Models.Tokenizers;

namespace Farm.Inference;

/// <summary>
/// The generation loop. A prompt is prefilled once and its n samples share that K/V; a finished sample's place goes to the next waiting
/// (prompt, sample) pair at once, so a data set streams through at full width. Every draw is keyed by (seed, prompt index, sample index,
/// position), so no result depends on the width, on the other prompts, or on the number of threads.
/// </summary>
public sealed class Generator : IDisposable
{
    /// <summary>The most samples decoded at once by default.</summary>
    public const int WidestBatch = 64;

    private GenerationBuffers? _buffers;

    /// <summary>A generator over a model; <paramref name="tokenizer"/> null gives token ids without text.</summary>
    /// <exception cref="BadInputException">An option is out of its range, or asks for text without a tokenizer.</exception>
    public Generator(LlamaModel model, ITokenizer? tokenizer, GenerationOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        if (tokenizer is null && options.StopStrings.Count > 0)
        {
            throw new BadInputException("--stop needs a model folder with a tokenizer.");
        }

        Model = model;
        Tokenizer = tokenizer;
        Options = options;
        EosIds = options.EosIds is null ? DefaultEosIds(model, tokenizer) : [.. options.EosIds];
        SampledVocabulary = Math.Min(model.Config.VocabularySize, tokenizer?.VocabularySize ?? int.MaxValue);
        Statistics = new RunStatistics { WeightBytesPerStep = model.StepBytes };
    }

    /// <summary>The policy.</summary>
    public LlamaModel Model { get; }

    /// <summary>Its tokenizer.</summary>
    public ITokenizer? Tokenizer { get; }

    /// <summary>How samples are drawn.</summary>
    public GenerationOptions Options { get; }

    /// <summary>Ids that end a sample.</summary>
    public IReadOnlyList<int> EosIds { get; }

    /// <summary>
    /// Ids below this can be drawn: rows of a padded language head that the tokenizer has no token for are left out, as AlpacaFarm
    /// does by shrinking the embedding.
    /// </summary>
    public int SampledVocabulary { get; }

    /// <summary>What was done since construction.</summary>
    public RunStatistics Statistics { get; }

    /// <summary>K/V pages rented now; 0 between calls.</summary>
    public int UsedPages => _buffers?.Cache.UsedPages ?? 0;

    /// <summary>The sizes a generation of these prompts would have.</summary>
    public GenerationPlan Plan(IReadOnlyList<Prompt> prompts) => GenerationPlan.For(Model, Options, prompts);

    /// <summary>
    /// Draws all samples of all prompts. <paramref name="onPromptDone"/> is called between steps as soon as a prompt's samples are all
    /// there, which is roughly but not exactly in order; <paramref name="progress"/> after every step.
    /// </summary>
    /// <exception cref="BadInputException">A prompt is empty, too long, or holds ids outside the vocabulary; found before any work.</exception>
    /// <exception cref="OperationCanceledException">Cancelled between steps; prompts reported so far are whole.</exception>
    public void Generate(IReadOnlyList<Prompt> prompts, Action<PromptResult> onPromptDone, Action<GenerationProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        ArgumentNullException.ThrowIfNull(onPromptDone);
        foreach (var prompt in prompts)
        {
            prompt.Validate(Model.Config.VocabularySize, Model.MaxPositions);
        }

        if (prompts.Count == 0)
        {
            return;
        }

        var buffers = Prepare(Plan(prompts));
        var run = new GenerationRun(this, buffers, prompts);
        try
        {
            while (run.Admit(cancellation))
            {
                run.Step();
                progress?.Invoke(run.Progress);
                run.Report(onPromptDone);
                cancellation.ThrowIfCancellationRequested();
            }
        }
        finally
        {
            run.ReturnPages();
            Statistics.PeakKvBytes = Math.Max(Statistics.PeakKvBytes, buffers.Cache.PeakPages * buffers.Cache.Pool.PageBytes);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _buffers?.Dispose();

    private static int[] DefaultEosIds(LlamaModel model, ITokenizer? tokenizer) =>
        tokenizer?.EosId is int id ? [.. model.Config.EosIds.Append(id).Distinct()] : [.. model.Config.EosIds];

    private GenerationBuffers Prepare(GenerationPlan plan)
    {
        if (_buffers is null || !_buffers.Holds(plan))
        {
            _buffers?.Dispose();
            _buffers = null;
            _buffers = new GenerationBuffers(Model, Options, plan, SampledVocabulary);
        }

        return _buffers;
    }
}
