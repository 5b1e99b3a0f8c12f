using System.Globalization;
using System.Text.Json;
using Farm.Inference;
using Farm.Pocket;
using Farm.Pocket.Judging;

namespace Farm.Cli.Engine;

/// <summary>How often a reward model orders two samples of a policy as a judge does, over all pairs of different samples of each row.</summary>
/// <param name="GoldPairs">Pairs of unequal gold score.</param>
/// <param name="Gold">Share of them that the reward orders as the gold judge.</param>
/// <param name="NoisyPairs">Pairs that the pool of simulated judges labelled, 25 % of the labels turned round.</param>
/// <param name="Noisy">Share of them that the reward orders as the label.</param>
internal sealed record PocketAccuracy(long GoldPairs, double Gold, long NoisyPairs, double Noisy)
{
    /// <summary>Compares rewards and judgements.</summary>
    public static PocketAccuracy Of(IReadOnlyList<PocketRow> rows, IReadOnlyList<RankedPrompt> ranked, ulong seed)
    {
        var pool = new JudgePool(seed);
        long goldPairs = 0, gold = 0, noisyPairs = 0, noisy = 0;
        for (int i = 0; i < rows.Count; i++)
        {
            (string Text, float Reward, double Gold)[] samples = [.. ranked[i].Samples
                .Select(s => (Text: s.Sample.Text ?? string.Empty, s.Reward)).DistinctBy(s => s.Text)
                .Select(s => (s.Text, s.Reward, GoldJudge.Score(rows[i], s.Text).Total))];
            for (int a = 0; a < samples.Length; a++)
            {
                for (int b = a + 1; b < samples.Length; b++)
                {
                    var (first, second) = (samples[a], samples[b]);
                    bool reward = first.Reward > second.Reward;
                    noisyPairs++;
                    noisy += reward == (pool.Prefer(rows[i], first.Text, second.Text) == 1) ? 1 : 0;
                    if (first.Gold != second.Gold)
                    {
                        goldPairs++;
                        gold += reward == (first.Gold > second.Gold) ? 1 : 0;
                    }
                }
            }
        }

        return new PocketAccuracy(goldPairs, gold / (double)Math.Max(1, goldPairs), noisyPairs, noisy / (double)Math.Max(1, noisyPairs));
    }

    /// <summary>Writes the fields into an open JSON object.</summary>
    public void WriteFields(Utf8JsonWriter writer)
    {
        writer.WriteNumber("reward_accuracy_gold", Math.Round(Gold, 4));
        writer.WriteNumber("reward_pairs_gold", GoldPairs);
        writer.WriteNumber("reward_accuracy_noisy_labels", Math.Round(Noisy, 4));
        writer.WriteNumber("reward_pairs_noisy_labels", NoisyPairs);
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"reward model: orders {Gold:P1} of {GoldPairs} pairs as the gold judge, {Noisy:P1} of {NoisyPairs} as the noisy labels of the simulated judges");
}
