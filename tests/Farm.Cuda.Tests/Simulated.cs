namespace Farm.Cuda.Tests;

/// <summary>Backends on the bundled driver simulator.</summary>
internal static class Simulated
{
    // Held until the process ends, so that the modules are loaded once and not for every test.
    private static readonly CudaBackend Held = new(simulator: true);

    /// <summary>A backend of its own stream on the simulated GPU.</summary>
    public static CudaBackend Backend()
    {
        GC.KeepAlive(Held);
        return new CudaBackend(simulator: true);
    }
}
