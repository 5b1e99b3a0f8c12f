namespace Farm.Training.Reinforcement;

/// <summary>
/// The statistics of an outer step, by AlpacaFarm's names. Over cells means over response tokens, or with padded cells over all of the B x L grid.
/// <list type="table">
/// <item><term>objective/kl_coef</term><description>the coefficient used in this step</description></item>
/// <item><term>objective/kl_sum_seq</term><description>mean over samples of the penalised KL estimate summed over the sample</description></item>
/// <item><term>objective/kl_avg_seq</term><description>mean of that estimate over cells</description></item>
/// <item><term>objective/kl_k1, kl_k3</term><description>mean over samples of the sum over tokens of the estimators d and exp(-d) - 1 + d (Farm's own)</description></item>
/// <item><term>objective/shaped_rewards, non_score_rewards</term><description>mean over samples of the sum of shaped rewards before whitening, and of the KL penalty alone</description></item>
/// <item><term>objective/rewards</term><description>mean reward after penalties</description></item>
/// <item><term>objective/lr</term><description>learning rate of the step; in AlpacaFarm's order, of the next</description></item>
/// <item><term>objective/entropies, ref_entropies</term><description>mean entropy over cells at sampling</description></item>
/// <item><term>objective/response_length, eos_rate</term><description>mean tokens of a response, and share that ended (Farm's own)</description></item>
/// <item><term>ppo/loss/policy, value, total</term><description>mean clipped losses over cells; total = policy + vf_coef * value</description></item>
/// <item><term>ppo/loss/grad_norm</term><description>global norm before clipping; in AlpacaFarm's, after</description></item>
/// <item><term>ppo/policy/entropy, approxkl, clipfrac</term><description>mean entropy during updates; half the mean square of the change of log-probability; share of cells with the clipped loss strictly larger</description></item>
/// <item><term>ppo/val/vpred, error, clipfrac, mean, var</term><description>mean new value, mean squared error against returns, share of clipped, and moments of the values at sampling</description></item>
/// <item><term>ppo/val/ratio, ratio_var</term><description>mean and variance over tokens of the probability ratio during updates (Farm's own)</description></item>
/// <item><term>ppo/returns/mean, var</term><description>moments of the returns</description></item>
/// </list>
/// </summary>
internal static class PpoStatistics
{
    /// <summary>Statistics of sampling.</summary>
    public static IReadOnlyList<(string Name, double Value)> Of(IReadOnlyList<Rollout> rollouts, PpoOptions options, double coefficient, double learningRate)
    {
        double samples = rollouts.Count, cells = rollouts.Sum(r => (double)r.Kl.Length);
        double kl = rollouts.Sum(r => r.Kl.Sum(v => (double)v)), k1 = 0, k3 = 0;
        foreach (var rollout in rollouts)
        {
            for (int t = 0; t < rollout.Length; t++)
            {
                double d = (double)rollout.LogProbs[t] - rollout.ReferenceLogProbs[t];
                k1 += d;
                k3 += Math.Exp(-d) - 1 + d;
            }
        }

        double shaped = rollouts.Sum(r => r.ShapedRewards.Sum(v => (double)v)) / samples, nonScore = -coefficient * kl / samples;
        return
        [
            ("objective/kl_coef", coefficient), ("objective/kl_sum_seq", kl / samples), ("objective/kl_avg_seq", kl / cells), ("objective/kl_k1", k1 / samples), ("objective/kl_k3", k3 / samples),
            ("objective/shaped_rewards", shaped), ("objective/non_score_rewards", nonScore), ("objective/rewards", rollouts.Average(r => (double)r.Reward)), ("objective/lr", learningRate),
            ("objective/entropies", rollouts.Sum(r => r.Entropies.Sum(v => (double)v)) / cells), ("objective/ref_entropies", rollouts.Sum(r => r.ReferenceEntropies.Sum(v => (double)v)) / cells),
            ("objective/response_length", rollouts.Average(r => (double)r.Length)), ("objective/eos_rate", rollouts.Count(r => r.Ended) / samples),
        ];
    }

    /// <summary>Moments of values and returns at sampling.</summary>
    public static IReadOnlyList<(string Name, double Value)> OfReturns(IReadOnlyList<Rollout> rollouts)
    {
        var (returnMean, returnVariance) = StepStatistics.Moments(rollouts.SelectMany(r => r.Returns));
        var (valueMean, valueVariance) = StepStatistics.Moments(rollouts.SelectMany(r => r.Values));
        return [("ppo/returns/mean", returnMean), ("ppo/returns/var", returnVariance), ("ppo/val/mean", valueMean), ("ppo/val/var", valueVariance)];
    }

    /// <summary>Statistics of updates; the second moment of the ratio becomes its variance.</summary>
    public static IEnumerable<(string Name, double Value)> Finish(StepStatistics updates)
    {
        var all = updates.Means().ToList();
        double ratio = all.First(s => s.Name == "ppo/val/ratio").Value;
        return all.Select(s => s.Name == "ppo/val/ratio_var" ? (s.Name, Math.Max(0, s.Value - (ratio * ratio))) : s);
    }
}
