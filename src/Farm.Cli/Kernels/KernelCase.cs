namespace Farm.Cli.Kernels;

/// <summary>One operation at one shape, ready to be run on any backend.</summary>
/// <param name="Op">The operation, as <c>--op</c> names it.</param>
/// <param name="Shape">The shape, in words.</param>
/// <param name="Bytes">Bytes of all operands, each once: the least traffic.</param>
/// <param name="Flops">Multiplications and additions.</param>
/// <param name="Tolerance">Relative error (of the Euclidean norm) against the CPU that passes.</param>
/// <param name="Prepare">Makes the operands and says how to run and what to read.</param>
internal sealed record KernelCase(string Op, string Shape, double Bytes, double Flops, double Tolerance, Func<CaseOperands, KernelRun> Prepare);

/// <summary>A prepared case.</summary>
/// <param name="Run">Runs the operation once.</param>
/// <param name="Read">What it computed.</param>
internal sealed record KernelRun(Action Run, Func<float[]> Read);
