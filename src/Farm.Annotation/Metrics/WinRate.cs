namespace Farm.Annotation.Metrics;

/// <summary>How often the second output of the pairs (the model) beats the first (the reference), as AlpacaEval reports it.</summary>
/// <param name="Percent">100 times the mean of preference - 1.</param>
/// <param name="StandardError">Of <paramref name="Percent"/>, n - 1 in the divisor; NaN for fewer than two pairs.</param>
/// <param name="Wins">Pairs with a preference above 1.5.</param>
/// <param name="WinsBase">Pairs with a preference below 1.5.</param>
/// <param name="Draws">Pairs with a preference of exactly 1.5.</param>
/// <param name="Total">Pairs with a preference.</param>
/// <param name="DiscretePercent">The win rate after each preference is rounded to a win, a draw or a loss.</param>
public sealed record WinRate(double Percent, double StandardError, int Wins, int WinsBase, int Draws, int Total, double DiscretePercent)
{
    /// <summary>
    /// The win rate of preferences in 1 to 2. Null, NaN, -1 and anything else outside 1 to 2 is no preference and does not count; 0 is an old draw.
    /// </summary>
    public static WinRate Of(IEnumerable<double?> preferences)
    {
        ArgumentNullException.ThrowIfNull(preferences);
        double[] wins = [.. preferences.Select(Preference.Normalize).OfType<double>().Select(p => p - 1)];
        double[] discrete = [.. wins.Select(w => w > 0.5 ? 1 : w < 0.5 ? 0 : 0.5)];
        return new WinRate(
            100 * Statistics.Mean(wins),
            100 * Statistics.StandardError(wins),
            wins.Count(w => w > 0.5),
            wins.Count(w => w < 0.5),
            wins.Count(w => w == 0.5),
            wins.Length,
            100 * Statistics.Mean(discrete));
    }
}
