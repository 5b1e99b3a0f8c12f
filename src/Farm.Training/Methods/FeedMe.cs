using Farm.Training.Data;

namespace Farm.Training.Methods;

/// <summary>
/// Binary FeedME (Dubois et al., "AlpacaFarm", 2023): supervised fine-tuning goes on, on the preferred response of each pair; the other is discarded. The rest is <see cref="Tasks.SftTask"/> and <see cref="Trainer"/>.
/// </summary>
public static class FeedMe
{
    /// <summary>Each pair's preferred response.</summary>
    public static IReadOnlyList<SftRow> Rows(IEnumerable<PreferenceRow> pairs) =>
        [.. pairs.Select(p => new SftRow(p.Place, p.Instruction, p.Input, p.Preference == 1 ? p.Output1 : p.Output2))];
}
