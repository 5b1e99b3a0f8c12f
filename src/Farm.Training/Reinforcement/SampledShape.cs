using Farm.Core;

namespace Farm.Training.Reinforcement;

/// <summary>How many responses are drawn at a time, and how long they are: what <see cref="Farm.Inference.GenerationPlan"/> sizes a generation by.</summary>
/// <param name="Width">Responses drawn at a time.</param>
/// <param name="Prompts">Prompts of a draw.</param>
/// <param name="QueryLength">Most tokens of a prompt.</param>
/// <param name="ResponseLength">Most tokens of a response.</param>
internal readonly record struct SampledShape(int Width, int Prompts, int QueryLength, int ResponseLength)
{
    /// <summary>Pages of keys and values: each response's own, and those of the prompts of running responses and one more.</summary>
    public long Pages => ((long)Width * KvPool.PagesFor(ResponseLength - 1)) + (Math.Min(Width + 1L, Prompts) * KvPool.PagesFor(QueryLength));

    /// <summary>Rows of the prompts that may be run together.</summary>
    public int PrefillRows => (int)Math.Min(int.MaxValue, (long)QueryLength * Math.Min(Width, Prompts));

    /// <summary>Of a step of PPO, or of an evaluation of so many prompts, whichever is larger.</summary>
    public static SampledShape Of(PpoOptions options, int evaluations = 0, int? longestPrompt = null) => new(
        Math.Min(options.RolloutMicroBatch, Math.Max(options.RolloutBatchSize, evaluations)), Math.Max(options.PromptsPerStep, evaluations), longestPrompt ?? options.QueryLength, options.ResponseLength);
}
