using Farm.Core;
using Farm.Cuda.Driver;

namespace Farm.Cli.Kernels;

/// <summary>What a case's kernels do, by the driver simulator's counters.</summary>
internal static class KernelCounting
{
    /// <summary>Runs a case once; what each kernel that it launches did, by name.</summary>
    public static IReadOnlyDictionary<string, SimulatorCounters> Run(KernelCase kernel, ITrainingBackend backend)
    {
        using var operands = new CaseOperands(backend);
        var run = kernel.Prepare(operands).Run;
        backend.Synchronize();
        Simulator.ResetCounters();
        run();
        backend.Synchronize();
        return Simulator.Counters();
    }
}
