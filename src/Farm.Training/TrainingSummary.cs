namespace Farm.Training;

/// <summary>What an update did.</summary>
/// <param name="Loss">Its loss before the step.</param>
/// <param name="GradientNorm">Global norm before clipping.</param>
/// <param name="LearningRate">Learning rate used.</param>
/// <param name="Tokens">Tokens read.</param>
public readonly record struct UpdateResult(double Loss, double GradientNorm, double LearningRate, long Tokens);

/// <summary>How a run ended.</summary>
/// <param name="Steps">Updates of the whole run.</param>
/// <param name="ResumedFrom">Updates done before this process.</param>
/// <param name="LastLoss">Loss of the last update; NaN if none was left to do.</param>
/// <param name="Tokens">Tokens read by this process.</param>
/// <param name="Seconds">Time it took, evaluation and saving included.</param>
/// <param name="Evaluation">Metrics of the last evaluation; empty without one.</param>
public sealed record TrainingSummary(
    int Steps, int ResumedFrom, double LastLoss, long Tokens, double Seconds, IReadOnlyList<(string Name, double Value)> Evaluation);
