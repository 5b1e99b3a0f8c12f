namespace Farm.Inference;

/// <summary>A sample and its reward.</summary>
/// <param name="Sample">The sample.</param>
/// <param name="Reward">Its reward.</param>
public sealed record RankedSample(SampleResult Sample, float Reward);

/// <summary>A prompt's samples, best first.</summary>
/// <param name="Prompt">The prompt.</param>
/// <param name="Samples">Its samples by falling reward.</param>
public sealed record RankedPrompt(Prompt Prompt, IReadOnlyList<RankedSample> Samples)
{
    /// <summary>The winner.</summary>
    public RankedSample Best => Samples[0];
}

/// <summary>Orders candidates by reward.</summary>
public static class Ranking
{
    /// <summary>Indices by falling reward; equal rewards keep the lower index first.</summary>
    public static int[] Order(IReadOnlyList<float> rewards)
    {
        ArgumentNullException.ThrowIfNull(rewards);
        return [.. Enumerable.Range(0, rewards.Count).OrderByDescending(i => rewards[i])];
    }

    /// <summary>Samples with their rewards, best first.</summary>
    public static IReadOnlyList<RankedSample> Order(IReadOnlyList<SampleResult> samples, IReadOnlyList<float> rewards)
    {
        ArgumentNullException.ThrowIfNull(samples);
        return [.. Order(rewards).Select(i => new RankedSample(samples[i], rewards[i]))];
    }
}
