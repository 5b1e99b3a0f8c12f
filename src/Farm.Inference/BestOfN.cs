using Farm.Core;

namespace Farm.Inference;

/// <summary>
/// Best-of-n (AlpacaFarm; Dubois et al., 2023, section 3.3): n samples of each prompt from a policy, scored by a reward model, ranked. The
/// whole path is <see cref="Run"/>: prompts, <see cref="Generator"/>, <see cref="Scorer"/>, <see cref="Ranking"/>.
/// </summary>
public static class BestOfN
{
    /// <summary>Samples, scores and ranks; <paramref name="onPromptDone"/> gets each prompt as soon as it is ranked.</summary>
    /// <exception cref="BadInputException">The two vocabularies differ and the text is not scored, or a prompt or option is unusable.</exception>
    /// <exception cref="OperationCanceledException">Cancelled between steps; prompts reported so far are whole.</exception>
    public static void Run(Generator generator, Scorer scorer, IReadOnlyList<Prompt> prompts, BestOfNOptions options,
        Action<RankedPrompt> onPromptDone, Action<GenerationProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(generator);
        ArgumentNullException.ThrowIfNull(scorer);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(onPromptDone);
        Check(generator, scorer, prompts, options);

        generator.Generate(prompts, drawn =>
        {
            ScoringGroup group = options.ScoreText ? TextGroup(scorer, drawn, options) : IdGroup(drawn);
            float[] rewards = scorer.Score([group], cancellation)[0];
            onPromptDone(new RankedPrompt(drawn.Prompt, Ranking.Order(drawn.Samples, rewards)));
        }, progress, cancellation);
    }

    /// <summary>The sampled ids as they are, without end-of-sequence or stop string.</summary>
    private static ScoringGroup IdGroup(PromptResult drawn) =>
        ScoringGroup.Of(drawn.Prompt.Index, drawn.Prompt.Ids, drawn.Samples.Select(sample => sample.Content.ToArray()));

    /// <summary>The decoded text, cleaned if asked, tokenised again behind the prompt's text.</summary>
    private static ScoringGroup TextGroup(Scorer scorer, PromptResult drawn, BestOfNOptions options) =>
        scorer.TextGroup(drawn.Prompt.Index, drawn.Prompt.Text!, drawn.Samples.Select(sample => options.TextCleanup?.Invoke(sample.Text!) ?? sample.Text!));

    private static void Check(Generator generator, Scorer scorer, IReadOnlyList<Prompt> prompts, BestOfNOptions options)
    {
        if (!options.ScoreText)
        {
            Vocabularies.RequireSame(generator.Tokenizer, scorer.Tokenizer);
        }
        else if (generator.Tokenizer is null || scorer.Tokenizer is null)
        {
            throw new BadInputException("--score-text needs a tokenizer in the decoder's and the scorer's folder.");
        }
        else if (prompts.FirstOrDefault(prompt => prompt.Text is null) is Prompt prompt)
        {
            throw new BadInputException($"Row {prompt.Index + 1}: --score-text needs the prompt's text, but only its token ids are given.");
        }
    }
}

/// <summary>How samples are scored.</summary>
public sealed record BestOfNOptions
{
    /// <summary>Scores the decoded text, tokenised again, as AlpacaFarm does; else the sampled ids.</summary>
    public bool ScoreText { get; init; }

    /// <summary>Applied to each text before it is scored; null leaves it as it is.</summary>
    public Func<string, string>? TextCleanup { get; init; }
}
