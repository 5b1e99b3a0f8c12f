namespace Farm.Training.Methods;

/// <summary>A sample in Quark's pool.</summary>
/// <param name="Row">Row of its prompt, counted from 1.</param>
/// <param name="Prompt">The prompt's ids, without a reward token.</param>
/// <param name="Response">The response's ids, the end-of-sequence token included.</param>
/// <param name="Reward">Its reward.</param>
public sealed record QuarkSample(int Row, int[] Prompt, int[] Response, float Reward);

/// <summary>Quark's sorting of samples into quantiles by reward (Lu et al., 2022; AlpacaFarm).</summary>
public static class QuarkPool
{
    /// <summary>
    /// The quantile of each sample, 0 the best: a stable sort by falling reward is cut into <paramref name="quantiles"/> chunks of floor(n / K), the last of which takes the remainder. With fewer samples than quantiles all
    /// but the last are empty.
    /// </summary>
    public static int[] Quantiles(IReadOnlyList<float> rewards, int quantiles)
    {
        ArgumentNullException.ThrowIfNull(rewards);
        ArgumentOutOfRangeException.ThrowIfLessThan(quantiles, 1);
        int[] order = Order(rewards), chunk = new int[rewards.Count];
        int size = rewards.Count / quantiles;
        for (int place = 0; place < order.Length; place++)
        {
            chunk[order[place]] = size == 0 ? quantiles - 1 : Math.Min(place / size, quantiles - 1);
        }

        return chunk;
    }

    /// <summary>Samples by falling reward, equal ones in their order.</summary>
    public static int[] Order(IReadOnlyList<float> rewards) => [.. Enumerable.Range(0, rewards.Count).OrderByDescending(i => rewards[i])];
}
