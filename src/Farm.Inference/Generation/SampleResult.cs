namespace Farm.Inference;

/// <summary>Why a sample ended.</summary>
public enum FinishReason
{
    /// <summary>It reached the most tokens asked for, or the end of the context.</summary>
    Length = 0,

    /// <summary>An end-of-sequence token was drawn.</summary>
    Eos = 1,

    /// <summary>A stop string appeared.</summary>
    Stop = 2,
}

/// <summary>Names of <see cref="FinishReason"/>.</summary>
public static class FinishReasons
{
    /// <summary>The name used in files: length, eos, stop.</summary>
    public static string Name(this FinishReason reason) => reason switch
    {
        FinishReason.Length => "length",
        FinishReason.Eos => "eos",
        FinishReason.Stop => "stop",
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, "not a finish reason"),
    };
}

/// <summary>One sample of a prompt.</summary>
/// <param name="SampleIndex">0 to n - 1.</param>
/// <param name="TokenIds">Every token drawn, the end-of-sequence token or those of a stop string included.</param>
/// <param name="LogProbs">Log-probability of each in nats, at temperature 1 before any filter.</param>
/// <param name="ContentLength">
/// How many leading tokens are the response itself: without the end-of-sequence token, and without the tokens that reach into a stop string.
/// </param>
/// <param name="Text">The response without special tokens, cut before a stop string; null if the model has no tokenizer.</param>
/// <param name="FinishReason">Why it ended.</param>
public sealed record SampleResult(int SampleIndex, int[] TokenIds, float[] LogProbs, int ContentLength, string? Text, FinishReason FinishReason)
{
    /// <summary>The tokens of the response itself.</summary>
    public ReadOnlySpan<int> Content => TokenIds.AsSpan(0, ContentLength);

    /// <summary>Sum of <see cref="LogProbs"/>.</summary>
    public double LogProbSum
    {
        get
        {
            double sum = 0;
            foreach (float value in LogProbs)
            {
                sum += value;
            }

            return sum;
        }
    }
}

/// <summary>All samples of one prompt, in order of their index.</summary>
/// <param name="Prompt">The prompt.</param>
/// <param name="Samples">Its samples.</param>
public sealed record PromptResult(Prompt Prompt, IReadOnlyList<SampleResult> Samples);

/// <summary>How far a generation is.</summary>
/// <param name="PromptsDone">Prompts whose samples are all done.</param>
/// <param name="Prompts">All prompts.</param>
/// <param name="SamplesDone">Samples done.</param>
/// <param name="TokensGenerated">Tokens drawn so far.</param>
/// <param name="Running">Samples being decoded now.</param>
public readonly record struct GenerationProgress(int PromptsDone, int Prompts, long SamplesDone, long TokensGenerated, int Running);
