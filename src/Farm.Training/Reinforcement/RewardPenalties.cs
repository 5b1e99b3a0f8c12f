using Farm.Models.Tokenizers;

namespace Farm.Training.Reinforcement;

/// <summary>What is done to the rewards of responses that do not end, or lack a token they must hold.</summary>
internal static class RewardPenalties
{
    /// <summary>Changes rewards in place.</summary>
    public static void Apply(IReadOnlyList<Rollout> rollouts, PpoOptions options, ITokenizer tokenizer)
    {
        foreach (var rollout in rollouts.Where(r => !r.Ended))
        {
            rollout.Reward -= (float)options.EosPenalty;
        }

        if (options.TruncateTokens.Count == 0)
        {
            return;
        }

        foreach (var part in rollouts.Chunk(options.RolloutMicroBatch))
        {
            // AlpacaFarm looks for the token in the text tokenised again and padded on the left, so the place it compares counts padding; otherwise the sampled ids are looked at.
            int[][] ids = [.. part.Select(r => options.Departures.TextRewards ? tokenizer.Encode(r.Text) : r.Response)];
            int longest = ids.Max(i => i.Length);
            for (int i = 0; i < part.Length; i++)
            {
                int padding = options.Departures.TextRewards ? longest - ids[i].Length : 0;
                bool valid = options.TruncateTokens.Any(token => Array.LastIndexOf(ids[i], token) is >= 0 and var at && (options.TruncateAfter is not { } after || at + padding > after));
                part[i].Reward = valid ? part[i].Reward : (float)options.PenaltyRewardValue;
            }
        }
    }
}
