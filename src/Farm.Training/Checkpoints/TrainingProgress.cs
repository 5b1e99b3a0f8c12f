namespace Farm.Training.Checkpoints;

/// <summary>Where a run stands besides its tensors. Data position, schedule and random keys all follow from the step and the fingerprint.</summary>
/// <param name="Step">Updates done.</param>
/// <param name="LossSum">Sum of the update losses since the last logged line.</param>
/// <param name="LossCount">Number of them.</param>
/// <param name="Values">Other numbers that a method carries from step to step, such as an adaptive coefficient; null for none.</param>
public sealed record TrainingProgress(int Step, double LossSum, int LossCount, IReadOnlyDictionary<string, double>? Values = null);
