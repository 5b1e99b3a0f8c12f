using Farm.Training.Model;
using Farm.Training.Optimisation;

namespace Farm.Training.Checkpoints;

/// <summary>Parameters that are trained together with others, and their optimiser.</summary>
/// <param name="Name">Stands before the names of its tensors in a checkpoint; empty where there is only one part.</param>
/// <param name="Parameters">What is trained.</param>
/// <param name="Optimizer">Its moments.</param>
public sealed record TrainedPart(string Name, ParameterStore Parameters, AdamWOptimizer Optimizer);
