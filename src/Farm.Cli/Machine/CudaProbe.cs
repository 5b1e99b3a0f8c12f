using System.Runtime.InteropServices;

namespace Farm.Cli.Machine;

/// <summary>Whether an NVIDIA driver is on the machine, and if not, why it is not found.</summary>
/// <param name="Found">True where the driver library loads.</param>
/// <param name="Detail">One sentence.</param>
internal sealed record CudaProbe(bool Found, string Detail)
{
    /// <summary>Looks for the driver.</summary>
    public static CudaProbe Run()
    {
        string library = OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";
        if (!NativeLibrary.TryLoad(library, out nint handle))
        {
            return new CudaProbe(false, $"{library} cannot be loaded: no NVIDIA driver is installed, or it is not on the library path.");
        }

        NativeLibrary.Free(handle);
        return new CudaProbe(true, $"{library} loads; this build has no CUDA backend yet, so it is not used.");
    }
}
