using Farm.Core;
using Farm.Cuda;
using Farm.Cuda.Driver;

namespace Farm.Cli.Machine;

/// <summary>Whether a CUDA driver and a GPU are on the machine, and if not, why they are not used.</summary>
/// <param name="Found">True where a GPU can be used.</param>
/// <param name="Detail">One sentence.</param>
internal sealed record CudaProbe(bool Found, string Detail)
{
    /// <summary>Looks for the driver and its first GPU.</summary>
    public static CudaProbe Run()
    {
        try
        {
            using var backend = new CudaBackend();
            return new CudaProbe(true, Describe(backend));
        }
        catch (Exception e) when (e is BadInputException or CudaException)
        {
            return new CudaProbe(false, e.Message);
        }
    }

    /// <summary>Driver and GPU in one line.</summary>
    public static string Describe(CudaBackend backend)
    {
        var gpu = backend.Gpu;
        return FormattableString.Invariant(
            $"{CudaDriver.LibraryName}, CUDA {CudaDriver.Format(CudaDriver.Version)}; {gpu.Name}, compute capability {gpu.Major}.{gpu.Minor}, {gpu.Multiprocessors} multiprocessors, {gpu.MemoryBytes / 1073741824.0:F1} GiB, {backend.FreeBytes / 1073741824.0:F1} GiB free");
    }
}
