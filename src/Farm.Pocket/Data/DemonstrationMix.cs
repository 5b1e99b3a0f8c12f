namespace Farm.Pocket.Data;

/// <summary>Shares of the qualities of demonstrations; what is left to 1 is right and clean.</summary>
/// <param name="Wrong">A neat answer to another question of the same kind.</param>
/// <param name="Verbose">A right answer among chatter.</param>
/// <param name="Sloppy">A right answer without its capital or full stop, or with doubled spaces.</param>
/// <param name="OffConstraint">A right answer with a word lost or said twice.</param>
/// <param name="OffTopic">An answer to an instruction of another kind.</param>
public sealed record DemonstrationMix(double Wrong = 0.14, double Verbose = 0.14, double Sloppy = 0.12, double OffConstraint = 0.10, double OffTopic = 0.10)
{
    /// <summary>Right and clean answers alone.</summary>
    public static DemonstrationMix Clean { get; } = new(0, 0, 0, 0, 0);

    /// <summary>The flawed qualities in proportion, without any right and clean answers.</summary>
    public static DemonstrationMix Flawed { get; } = new(0.4, 0.2, 0.15, 0.15, 0.1);
}
