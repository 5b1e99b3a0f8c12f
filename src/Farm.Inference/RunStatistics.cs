using System.Diagnostics;

namespace Farm.Inference;

/// <summary>What a run did and how long it took, for the report at its end.</summary>
public sealed class RunStatistics
{
    /// <summary>Prompt tokens run through the model; a prompt shared by n samples counts once.</summary>
    public long PrefillTokens { get; private set; }

    /// <summary>Tokens sampled.</summary>
    public long DecodeTokens { get; private set; }

    /// <summary>Decode steps: passes over the weights for the running samples.</summary>
    public long Steps { get; private set; }

    /// <summary>Time spent on prompts.</summary>
    public double PrefillSeconds { get; private set; }

    /// <summary>Time spent on decode steps, sampling included.</summary>
    public double DecodeSeconds { get; private set; }

    /// <summary>Bytes of weights that one decode step streams.</summary>
    public long WeightBytesPerStep { get; internal set; }

    /// <summary>The most bytes of K/V pages in use at once.</summary>
    public long PeakKvBytes { get; internal set; }

    /// <summary>Prompt tokens per second.</summary>
    public double PrefillTokensPerSecond => PrefillSeconds > 0 ? PrefillTokens / PrefillSeconds : 0;

    /// <summary>Sampled tokens per second of decoding.</summary>
    public double DecodeTokensPerSecond => DecodeSeconds > 0 ? DecodeTokens / DecodeSeconds : 0;

    /// <summary>Mean number of samples that a step advances.</summary>
    public double MeanBatch => Steps > 0 ? (double)DecodeTokens / Steps : 0;

    internal void AddPrefill(long tokens, long since)
    {
        PrefillTokens += tokens;
        PrefillSeconds += Stopwatch.GetElapsedTime(since).TotalSeconds;
    }

    internal void AddStep(int tokens, long since)
    {
        Steps++;
        DecodeTokens += tokens;
        DecodeSeconds += Stopwatch.GetElapsedTime(since).TotalSeconds;
    }
}
