using System.Runtime.InteropServices;
using Farm.Cuda.Driver;

namespace Farm.Cuda.Tests.Cublas;

/// <summary>What has happened in the stand-in since it was loaded.</summary>
/// <param name="Created">Handles made.</param>
/// <param name="Destroyed">Handles destroyed.</param>
/// <param name="Alive">Handles and descriptors of all kinds alive.</param>
/// <param name="Choices">Algorithms asked for.</param>
/// <param name="Products">Products done.</param>
/// <param name="Reductions">Reduction schemes that the last choice allowed.</param>
internal readonly record struct StandinCounts(long Created, long Destroyed, long Alive, long Choices, long Products, long Reductions);

/// <summary>The stand-in for cuBLASLt beside the simulator, and backends that use it.</summary>
internal static unsafe class Standin
{
    internal static string Path { get; } = System.IO.Path.Combine(AppContext.BaseDirectory, "ptxsim", "libcublaslt_standin.so");

    /// <summary>A backend whose products all go to the stand-in, or only the large ones.</summary>
    internal static CudaBackend Backend(bool all = true)
    {
        using (Simulated.Backend())
        {
            // Sets the simulator as every test has it.
        }

        return Named(Path, () => new CudaBackend(simulator: true, cublasLt: true) { LibraryTakesAll = all });
    }

    /// <summary>Runs an action while FARM_CUBLASLT has a value.</summary>
    internal static T Named<T>(string? library, Func<T> action)
    {
        string? before = Environment.GetEnvironmentVariable(CublasLtApi.Variable);
        Environment.SetEnvironmentVariable(CublasLtApi.Variable, library);
        try
        {
            return action();
        }
        finally
        {
            Environment.SetEnvironmentVariable(CublasLtApi.Variable, before);
        }
    }

    internal static StandinCounts Counts()
    {
        long* counts = stackalloc long[6];
        ((delegate* unmanaged<long*, void>)Entry("cublasLtStandinCounts"))(counts);
        return new StandinCounts(counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]);
    }

    /// <summary>What choosing an algorithm and multiplying answer from now on.</summary>
    internal static void Answer(CublasStatus choice, CublasStatus product) => ((delegate* unmanaged<int, int, void>)Entry("cublasLtStandinAnswer"))((int)choice, (int)product);

    private static nint Entry(string name)
    {
        // The stand-in finds the driver's entry points in the simulator that the process has loaded.
        CudaDriver.Use(simulator: true);
        return NativeLibrary.GetExport(NativeLibrary.Load(Path), name);
    }
}
