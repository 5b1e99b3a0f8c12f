using Farm.Training.Data;

namespace Farm.Training.Methods;

/// <summary>
/// Binary reward conditioning (AlpacaFarm, 2023; after Keskar et al., CTRL, 2019, and Liu et al., "Chain of Hindsight", 2023): fine-tuning on both responses of each pair, a control token before the prompt saying
/// which it is; afterwards prompts are given the token of the preferred. The tokens are Quark's spelling of two quantiles.
/// </summary>
public static class RewardConditioning
{
    /// <summary>Control token of preferred responses.</summary>
    public const string Positive = "<reward_0>";

    /// <summary>Control token of the others.</summary>
    public const string Negative = "<reward_1>";

    /// <summary>The tokens in the order of their ids.</summary>
    public static IReadOnlyList<string> Tokens { get; } = [Positive, Negative];

    /// <summary>Two rows of each pair, the preferred first.</summary>
    public static IReadOnlyList<SftRow> Rows(IEnumerable<PreferenceRow> pairs) => [.. pairs.SelectMany(p =>
    {
        var (better, worse) = p.Preference == 1 ? (p.Output1, p.Output2) : (p.Output2, p.Output1);
        return new[] { new SftRow(p.Place, p.Instruction, p.Input, better, Positive), new SftRow(p.Place, p.Instruction, p.Input, worse, Negative) };
    })];
}
