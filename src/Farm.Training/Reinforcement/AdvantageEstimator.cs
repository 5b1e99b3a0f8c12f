using Farm.Core;

namespace Farm.Training.Reinforcement;

/// <summary>
/// From rewards and log-probabilities to advantages and returns, over all rollouts of an outer step at once: KL penalty, the reward at the last token, whitening, generalised advantage estimation, whitening
/// (AlpacaFarm's step 7 and its advantages). Cells are what <see cref="Rollout"/> holds: tokens, or the padded grid.
/// </summary>
internal static class AdvantageEstimator
{
    /// <summary>Fills KL, shaped rewards, advantages and returns.</summary>
    public static void Estimate(IReinforcementBackend backend, IReadOnlyList<Rollout> rollouts, PpoOptions options, double klCoefficient)
    {
        int[] starts = new int[rollouts.Count + 1];
        for (int i = 0; i < rollouts.Count; i++)
        {
            starts[i + 1] = checked(starts[i] + rollouts[i].LogProbs.Length);
        }

        int count = starts[^1];
        using var arena = new Arena(backend, (7 * Arena.SizeOf(DType.F32, 1, count)) + Arena.SizeOf(DType.I32, 1, starts.Length));
        Tensor logProbs = Upload(r => r.LogProbs), reference = Upload(r => r.ReferenceLogProbs), values = Upload(r => r.Values);
        Tensor kl = arena.Take(DType.F32, 1, count), rewards = arena.Take(DType.F32, 1, count), advantages = arena.Take(DType.F32, 1, count), returns = arena.Take(DType.F32, 1, count);
        var deviceStarts = arena.Take(DType.I32, 1, starts.Length);
        backend.Upload<int>(starts, deviceStarts);
        backend.TokenKl(logProbs, reference, options.Departures.ClampedKl ? KlEstimator.Clamped : KlEstimator.K1, kl);
        Download(kl, (r, v) => r.Kl = v);
        foreach (var rollout in rollouts)
        {
            rollout.ShapedRewards = Shape(rollout.Kl, rollout.Reward, rollout.Length, klCoefficient);
        }

        backend.Upload<float>([.. rollouts.SelectMany(r => r.ShapedRewards)], rewards);
        if (options.WhitensRewards)
        {
            backend.Whiten(rewards, false, rewards);
        }

        backend.Gae(rewards, values, deviceStarts, (float)options.Gamma, (float)options.GaeLambda, advantages, returns);
        Download(returns, (r, v) => r.Returns = v);
        backend.Whiten(advantages, true, advantages);
        Download(advantages, (r, v) => r.Advantages = v);

        Tensor Upload(Func<Rollout, float[]> cells)
        {
            var tensor = arena.Take(DType.F32, 1, count);
            backend.Upload<float>([.. rollouts.SelectMany(cells)], tensor);
            return tensor;
        }

        void Download(Tensor tensor, Action<Rollout, float[]> store)
        {
            var all = new float[count];
            backend.Download<float>(tensor, all);
            for (int i = 0; i < rollouts.Count; i++)
            {
                store(rollouts[i], all[starts[i]..starts[i + 1]]);
            }
        }
    }

    /// <summary>The KL penalty of each cell, and the reward added at the last token; a response without tokens has it in the last cell.</summary>
    internal static float[] Shape(float[] kl, float reward, int length, double klCoefficient)
    {
        float[] shaped = [.. kl.Select(k => (float)(-klCoefficient * k))];
        shaped[length > 0 ? length - 1 : shaped.Length - 1] += reward;
        return shaped;
    }
}
