using Farm.Core;

namespace Farm.Training.Optimisation;

/// <summary>Shapes of the learning rate after warm-up.</summary>
public enum ScheduleKind
{
    /// <summary>Linear decay to 0 at the last update.</summary>
    Linear = 0,

    /// <summary>Half a cosine to 0.</summary>
    Cosine = 1,

    /// <summary>No decay.</summary>
    Constant = 2,
}

/// <summary>
/// Factor on the base learning rate at update k = 0 .. N-1: k / warmup during warm-up, so that the first update of a warmed-up run has rate 0, then the decay; as
/// Hugging Face's schedulers count.
/// </summary>
/// <param name="Kind">The decay.</param>
/// <param name="TotalSteps">N.</param>
/// <param name="WarmupSteps">Updates of linear warm-up.</param>
public readonly record struct LearningRateSchedule(ScheduleKind Kind, int TotalSteps, int WarmupSteps)
{
    /// <summary>The schedule whose warm-up is a share of the run, rounded up.</summary>
    public static LearningRateSchedule WithRatio(ScheduleKind kind, int totalSteps, double warmupRatio) =>
        new(kind, totalSteps, (int)Math.Ceiling(warmupRatio * totalSteps));

    /// <summary>Reads linear, cosine or constant.</summary>
    /// <exception cref="BadInputException">It is another.</exception>
    public static ScheduleKind Parse(string name) => name switch
    {
        "linear" => ScheduleKind.Linear,
        "cosine" => ScheduleKind.Cosine,
        "constant" or "constant_with_warmup" => ScheduleKind.Constant,
        _ => throw new BadInputException($"--lr-scheduler-type must be linear, cosine or constant, not '{name}'."),
    };

    /// <summary>The factor at update <paramref name="step"/>, counted from 0.</summary>
    public double Factor(int step)
    {
        if (step < WarmupSteps)
        {
            return step / (double)Math.Max(1, WarmupSteps);
        }

        double progress = (step - WarmupSteps) / (double)Math.Max(1, TotalSteps - WarmupSteps);
        return Kind switch
        {
            ScheduleKind.Linear => Math.Max(0, 1 - progress),
            ScheduleKind.Cosine => Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * progress))),
            _ => 1,
        };
    }
}
