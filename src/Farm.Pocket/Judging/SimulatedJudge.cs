using Farm.Core;
using Farm.Pocket.Kinds;

namespace Farm.Pocket.Judging;

/// <summary>
/// A judge that compares gold scores, with a bias of its own and with flips: as in AlpacaFarm's simulated preferences, whether the label is
/// turned round depends on the row and the seed and not on the two responses, so that judging again does not average the noise away.
/// </summary>
public sealed class SimulatedJudge : IPairwiseJudge
{
    private readonly JudgeBias _bias;
    private readonly double _flipProbability;
    private readonly ulong _seed;

    /// <summary>Makes a judge.</summary>
    /// <param name="name">Its name; judges of different names flip different rows.</param>
    /// <param name="bias">What it likes besides the gold score.</param>
    /// <param name="flipProbability">Share of rows whose label is turned round, from 0 to 0.5.</param>
    /// <param name="seed">Seed of the flips and of ties.</param>
    /// <exception cref="BadInputException">The probability is not from 0 to 0.5.</exception>
    public SimulatedJudge(string name, JudgeBias bias, double flipProbability = 0.25, ulong seed = 0)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(bias);
        if (!(flipProbability is >= 0 and <= 0.5))
        {
            throw new BadInputException(FormattableString.Invariant($"The probability of a flip must be from 0 to 0.5, not {flipProbability}."));
        }

        (Name, _bias, _flipProbability, _seed) = (name, bias, flipProbability, seed);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    /// <exception cref="BadInputException">The row is no instruction of the pocket world.</exception>
    public int Prefer(PocketRow row, string output1, string output2)
    {
        ArgumentNullException.ThrowIfNull(row);
        ArgumentNullException.ThrowIfNull(output1);
        ArgumentNullException.ThrowIfNull(output2);
        var (_, task) = TaskKinds.Find(row) ?? throw GoldJudge.NotPocket(row);
        double gain = GoldJudge.Score(row, task, output1).Total - GoldJudge.Score(row, task, output2).Total + _bias.Of(output1, output2);
        bool first = Math.Abs(gain) > 1e-12 ? gain > 0 : new Draws(_seed, $"tie\n{Name}\n{row.Key}").Chance(0.5);
        bool flip = new Draws(_seed, $"flip\n{Name}\n{row.Key}").Chance(_flipProbability);
        return first != flip ? 1 : 2;
    }
}
