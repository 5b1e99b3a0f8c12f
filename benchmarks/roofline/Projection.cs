namespace Farm.Roofline;

/// <summary>
/// The least time a chip could take: each launch as long as the slowest of memory, tensor cores and float32 units takes at its data-sheet peak, one launch after
/// another, with a fixed gap after each (Williams et al., "Roofline", 2009). A projection: not measured on a GPU.
/// </summary>
/// <param name="chip">The chip.</param>
/// <param name="launchSeconds">The gap.</param>
internal sealed class Projection(Chip chip, double launchSeconds = Projection.DefaultLaunchSeconds)
{
    /// <summary>What stands by every projected figure.</summary>
    public const string Mark = "projection: not measured on a GPU";

    /// <summary>Assumed from the end of a kernel to the begin of the next one of a graph.</summary>
    public const double DefaultLaunchSeconds = 1e-6;

    /// <summary>Seconds of one launch, gap included.</summary>
    public double Seconds(LaunchCount launch) =>
        Math.Max(launch.Bytes / chip.BytesPerSecond, Math.Max(launch.TensorFlops / chip.Bf16Flops, launch.Flops / chip.FloatFlops)) + launchSeconds;

    /// <summary>Seconds of a pass.</summary>
    public double Seconds(PassCount pass) => pass.Launches.Sum(l => l.Times * Seconds(l));

    /// <summary>The share of a pass's time in launches that memory bounds, gaps left out.</summary>
    public double MemoryShare(PassCount pass)
    {
        double Bound(LaunchCount l) => l.Times * (Seconds(l) - launchSeconds);
        double all = pass.Launches.Sum(Bound);
        return all == 0 ? 0 : pass.Launches.Where(l => l.Bytes / chip.BytesPerSecond >= Math.Max(l.TensorFlops / chip.Bf16Flops, l.Flops / chip.FloatFlops)).Sum(Bound) / all;
    }

    /// <summary>
    /// Tokens a second of best-of-n over a wave of prompts: each prompt is prefilled once, then every sample draws <paramref name="newTokens"/> tokens, each step
    /// costing what the step in the middle of the response costs.
    /// </summary>
    public double TokensPerSecond(PassCount prefill, PassCount step, int newTokens) =>
        (double)step.Rows * newTokens / ((step.Prompts * Seconds(prefill)) + (newTokens * Seconds(step)));

    /// <summary>Tokens a second of training: the gradients of as many micro-batches as a step takes, then the update.</summary>
    public double TrainedTokensPerSecond(PassCount gradients, PassCount update, int sequencesPerStep)
    {
        double passes = (double)sequencesPerStep / gradients.Prompts;
        return passes * gradients.Rows / ((passes * Seconds(gradients)) + Seconds(update));
    }
}
