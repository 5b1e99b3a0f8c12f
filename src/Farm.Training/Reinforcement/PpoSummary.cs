namespace Farm.Training.Reinforcement;

/// <summary>How a run ended.</summary>
/// <param name="Steps">Outer steps of the whole run.</param>
/// <param name="ResumedFrom">Outer steps done before this process.</param>
/// <param name="Statistics">Of the last step of this process; empty if none was left to do.</param>
/// <param name="BestStep">Step of the best evaluation; 0 without one.</param>
/// <param name="BestEvaluation">Its mean reward, or what ranked it.</param>
/// <param name="Seconds">Time this process took.</param>
public sealed record PpoSummary(int Steps, int ResumedFrom, IReadOnlyList<(string Name, double Value)> Statistics, int BestStep, double BestEvaluation, double Seconds);
