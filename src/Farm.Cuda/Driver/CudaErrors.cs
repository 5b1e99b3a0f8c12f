using System.Runtime.InteropServices;

namespace Farm.Cuda.Driver;

/// <summary>Status codes as sentences.</summary>
internal static class CudaErrors
{
    /// <summary>The driver's own words for a code, with its name.</summary>
    internal static string Describe(CudaResult status)
    {
        string? name = CudaApi.cuGetErrorName(status, out nint n) == CudaResult.Success ? Marshal.PtrToStringUTF8(n) : null;
        string? text = CudaApi.cuGetErrorString(status, out nint t) == CudaResult.Success ? Marshal.PtrToStringUTF8(t) : null;
        return $"{text ?? "unknown error"} ({name ?? "CUDA error"}, {(int)status})";
    }

    /// <summary>The exception for a failed call; <paramref name="doing"/> says what was attempted, as "...ing ...".</summary>
    internal static CudaException Exception(CudaResult status, string doing)
    {
        string advice = status switch
        {
            CudaResult.OutOfMemory => " Use fewer sequences at once (--batch-sequences), shorter prompts, --kv bf16 or smaller weights (--dtype int8).",
            CudaResult.EccUncorrectable => " The GPU's memory is faulty or needs a reset (nvidia-smi); the work of this process is lost.",
            CudaResult.LaunchTimeout => " The display's watchdog stopped a kernel; use a GPU without a display.",
            CudaResult.IllegalAddress or CudaResult.MisalignedAddress or CudaResult.LaunchFailed or CudaResult.IllegalInstruction
                or CudaResult.InvalidAddressSpace or CudaResult.InvalidPc or CudaResult.HardwareStackError =>
                " This is a fault of a kernel; FARM_CUDA_SYNC=1 names the launch at once. The device's context is lost until the process ends.",
            CudaResult.DeviceUnavailable or CudaResult.Unknown or CudaResult.SystemNotReady or CudaResult.Deinitialized => " The device is lost; see the system's log and nvidia-smi, then start again.",
            _ => string.Empty,
        };
        string report = CudaDriver.IsSimulator && Simulator.LastReport() is { Length: > 0 } words ? $" The simulator says: {words.ReplaceLineEndings(" ").Trim()}" : string.Empty;
        return new CudaException($"The GPU failed at {doing}: {Describe(status)}.{advice}{report}", (int)status);
    }
}
