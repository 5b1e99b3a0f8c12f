using System.Globalization;
using System.Text.Json;
using Farm.Inference;
using Farm.Pocket;
using Farm.Pocket.Judging;

namespace Farm.Cli.Engine;

/// <summary>What the gold judge says of best-of-n against single samples.</summary>
/// <param name="Prompts">Instructions.</param>
/// <param name="Samples">Samples of each of them.</param>
/// <param name="Best">Mean gold score of the responses ranked first.</param>
/// <param name="Single">Mean gold score of all samples: what one sample scores on average.</param>
/// <param name="Wins">Share of all (best, other sample) pairs of unequal gold score that the best wins.</param>
/// <param name="Ties">Share of pairs of equal gold score.</param>
internal sealed record PocketGain(int Prompts, int Samples, double Best, double Single, double Wins, double Ties)
{
    /// <summary>Judges every sample.</summary>
    public static PocketGain Of(IReadOnlyList<PocketRow> rows, IReadOnlyList<RankedPrompt> ranked)
    {
        double best = 0, single = 0;
        long wins = 0, ties = 0, pairs = 0, samples = 0;
        for (int i = 0; i < rows.Count; i++)
        {
            double[] gold = [.. ranked[i].Samples.Select(s => GoldJudge.Score(rows[i], s.Sample.Text ?? string.Empty).Total)];
            best += gold[0];
            single += gold.Sum();
            samples += gold.Length;
            pairs += gold.Length - 1;
            wins += gold.Skip(1).Count(g => gold[0] > g);
            ties += gold.Skip(1).Count(g => gold[0] == g);
        }

        return new PocketGain(rows.Count, ranked[0].Samples.Count, best / rows.Count, single / samples, pairs > ties ? wins / (double)(pairs - ties) : 0, pairs > 0 ? ties / (double)pairs : 0);
    }

    /// <summary>Writes the fields into an open JSON object.</summary>
    public void WriteFields(Utf8JsonWriter writer)
    {
        writer.WriteNumber("prompts", Prompts);
        writer.WriteNumber("gold_best", Math.Round(Best, 4));
        writer.WriteNumber("gold_single", Math.Round(Single, 4));
        writer.WriteNumber("gold_win_rate_of_decided_pairs", Math.Round(Wins, 4));
        writer.WriteNumber("gold_tied_pairs", Math.Round(Ties, 4));
        writer.WriteNumber("gold_win_rate_ties_half", Math.Round((Wins * (1 - Ties)) + (Ties / 2), 4));
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Prompts} instructions: gold score {Best:F3} for the best of {Samples}, {Single:F3} for a single sample; of the pairs with unequal scores the best wins {Wins:P1} ({Ties:P1} are tied)");
}
