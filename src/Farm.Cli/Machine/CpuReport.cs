namespace Farm.Cli.Machine;

/// <summary>What the CPU backend found and measured.</summary>
/// <param name="Features">Instruction sets that matter to the kernels.</param>
/// <param name="Kernels">The set of kernels chosen.</param>
/// <param name="Threads">Threads measured with.</param>
/// <param name="Limits">The measured limits.</param>
internal sealed record CpuReport(IReadOnlyList<string> Features, string Kernels, int Threads, MachineLimits Limits);
