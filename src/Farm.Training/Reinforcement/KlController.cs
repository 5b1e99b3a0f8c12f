namespace Farm.Training.Reinforcement;

/// <summary>The coefficient of the KL penalty.</summary>
public abstract class KlController
{
    /// <summary>The coefficient in use.</summary>
    public double Value { get; internal set; }

    /// <summary>Adapts the coefficient after an outer step.</summary>
    /// <param name="klSumPerSequence">The step's mean over sequences of their summed KL.</param>
    public abstract void Adapt(double klSumPerSequence);
}

/// <summary>Stays what it is.</summary>
public sealed class FixedKlController : KlController
{
    /// <summary>A fixed coefficient.</summary>
    public FixedKlController(double coefficient) => Value = coefficient;

    /// <inheritdoc/>
    public override void Adapt(double klSumPerSequence)
    {
    }
}

/// <summary>
/// AlpacaFarm's proportional controller: value *= 1 + kBeta * clip(kl / target - 1, -0.2, 0.2). Ziegler et al. (2019, section 2.2) scale by the number of samples over a horizon instead:
/// that is this controller with kBeta = samples of a step / horizon.
/// </summary>
public sealed class AdaptiveKlController : KlController
{
    private const double ErrorClip = 0.2;
    private readonly double _target, _kBeta;

    /// <summary>A controller that starts at a coefficient.</summary>
    public AdaptiveKlController(double coefficient, double target, double kBeta)
    {
        Value = coefficient;
        (_target, _kBeta) = (target, kBeta);
    }

    /// <inheritdoc/>
    public override void Adapt(double klSumPerSequence) => Value *= 1 + (_kBeta * Math.Clamp((klSumPerSequence / _target) - 1, -ErrorClip, ErrorClip));
}
