using Farm.Cuda.Driver;

[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Farm.Cuda.Tests;

/// <summary>Backends on the bundled driver simulator. Its settings are the process's, so tests run one after another.</summary>
internal static class Simulated
{
    // Held until the process ends, so that the modules are loaded once and not for every test.
    private static readonly CudaBackend Held = new(simulator: true);

    /// <summary>A backend of its own stream on the simulated GPU; the checker is on.</summary>
    /// <param name="eager">cp.async moves its bytes at issue instead of at the wait that lets them be read.</param>
    public static CudaBackend Backend(bool eager = false)
    {
        GC.KeepAlive(Held);
        // A fault of one test is not the next one's.
        Simulator.ClearError();
        Simulator.Configure("ASYNC", eager ? "eager" : "late");
        return new CudaBackend(simulator: true);
    }

    /// <summary>What the kernels of an action did.</summary>
    public static IReadOnlyDictionary<string, SimulatorCounters> Count(CudaBackend backend, Action action)
    {
        backend.Synchronize();
        Simulator.ResetCounters();
        action();
        backend.Synchronize();
        return Simulator.Counters();
    }
}
