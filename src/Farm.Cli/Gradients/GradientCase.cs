using Farm.Cli.Kernels;
using Farm.Core;

namespace Farm.Cli.Gradients;

/// <summary>An operation, or a whole model, whose gradient is checked.</summary>
/// <param name="Op">Its name.</param>
/// <param name="Tolerance">The error that passes; see <see cref="GradientCheck.Error"/>.</param>
/// <param name="Prepare">Makes the operands and says how to compute.</param>
internal sealed record GradientCase(string Op, double Tolerance, Func<CaseOperands, GradientProbe> Prepare);

/// <summary>A prepared case: a function of its operands in float32, and its gradient as the backend computes it.</summary>
/// <param name="Operands">The operands F32 that the function is differentiated by, by name.</param>
/// <param name="Value">Runs the forward; sums over its outputs are in float64.</param>
/// <param name="Gradients">Runs the backward; one gradient for each operand, of its shape.</param>
internal sealed record GradientProbe(IReadOnlyList<(string Name, Tensor Value)> Operands, Func<double> Value, Func<IReadOnlyList<Tensor>> Gradients);
