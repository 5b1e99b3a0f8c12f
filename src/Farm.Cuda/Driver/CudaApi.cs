using System.Runtime.InteropServices;

namespace Farm.Cuda.Driver;

/// <summary>
/// The entry points of the driver API that Farm uses, name for name (NVIDIA, "CUDA Driver API"). Names with _v2 are today's ABI; the plain
/// ones are the 32-bit forms of CUDA 3. A C# type has the parameter's exact size: CUdeviceptr is nint here (64-bit only), CUdevice int, handles nint.
/// </summary>
internal static unsafe partial class CudaApi
{
    internal const string Library = "cuda";

    [LibraryImport(Library)]
    internal static partial CudaResult cuInit(uint flags);

    [LibraryImport(Library)]
    internal static partial CudaResult cuDriverGetVersion(out int version);

    [LibraryImport(Library)]
    internal static partial CudaResult cuDeviceGetCount(out int count);

    [LibraryImport(Library)]
    internal static partial CudaResult cuDeviceGet(out int device, int ordinal);

    [LibraryImport(Library)]
    internal static partial CudaResult cuDeviceGetName(byte* name, int length, int device);

    [LibraryImport(Library)]
    internal static partial CudaResult cuDeviceGetAttribute(out int value, int attribute, int device);

    [LibraryImport(Library, EntryPoint = "cuDeviceTotalMem_v2")]
    internal static partial CudaResult cuDeviceTotalMem(out nuint bytes, int device);

    [LibraryImport(Library, EntryPoint = "cuMemGetInfo_v2")]
    internal static partial CudaResult cuMemGetInfo(out nuint free, out nuint total);

    [LibraryImport(Library)]
    internal static partial CudaResult cuDevicePrimaryCtxRetain(out nint context, int device);

    [LibraryImport(Library, EntryPoint = "cuDevicePrimaryCtxRelease_v2")]
    internal static partial CudaResult cuDevicePrimaryCtxRelease(int device);

    [LibraryImport(Library)]
    internal static partial CudaResult cuCtxSetCurrent(nint context);

    [LibraryImport(Library)]
    internal static partial CudaResult cuCtxSynchronize();

    [LibraryImport(Library, EntryPoint = "cuMemAlloc_v2")]
    internal static partial CudaResult cuMemAlloc(out nint address, nuint bytes);

    [LibraryImport(Library, EntryPoint = "cuMemFree_v2")]
    internal static partial CudaResult cuMemFree(nint address);

    [LibraryImport(Library, EntryPoint = "cuMemAllocHost_v2")]
    internal static partial CudaResult cuMemAllocHost(out nint address, nuint bytes);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemFreeHost(nint address);

    [LibraryImport(Library, EntryPoint = "cuMemcpyHtoDAsync_v2")]
    internal static partial CudaResult cuMemcpyHtoDAsync(nint destination, nint source, nuint bytes, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemcpyDtoHAsync_v2")]
    internal static partial CudaResult cuMemcpyDtoHAsync(nint destination, nint source, nuint bytes, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemcpyDtoDAsync_v2")]
    internal static partial CudaResult cuMemcpyDtoDAsync(nint destination, nint source, nuint bytes, nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuMemsetD8Async(nint address, byte value, nuint bytes, nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuModuleLoadDataEx(out nint module, byte* image, uint options, int* names, nint* values);

    [LibraryImport(Library)]
    internal static partial CudaResult cuModuleUnload(nint module);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial CudaResult cuModuleGetFunction(out nint function, nint module, string name);

    [LibraryImport(Library)]
    internal static partial CudaResult cuFuncSetAttribute(nint function, int attribute, int value);

    [LibraryImport(Library)]
    internal static partial CudaResult cuFuncGetAttribute(out int value, int attribute, nint function);

    [LibraryImport(Library)]
    internal static partial CudaResult cuLaunchKernel(nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ,
        uint sharedBytes, nint stream, void** arguments, void** extra);

    [LibraryImport(Library)]
    internal static partial CudaResult cuStreamCreate(out nint stream, uint flags);

    [LibraryImport(Library)]
    internal static partial CudaResult cuStreamSynchronize(nint stream);

    [LibraryImport(Library, EntryPoint = "cuStreamDestroy_v2")]
    internal static partial CudaResult cuStreamDestroy(nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuEventCreate(out nint handle, uint flags);

    [LibraryImport(Library)]
    internal static partial CudaResult cuEventRecord(nint handle, nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuEventSynchronize(nint handle);

    [LibraryImport(Library)]
    internal static partial CudaResult cuEventElapsedTime(out float milliseconds, nint start, nint end);

    [LibraryImport(Library, EntryPoint = "cuEventDestroy_v2")]
    internal static partial CudaResult cuEventDestroy(nint handle);

    [LibraryImport(Library)]
    internal static partial CudaResult cuGetErrorName(CudaResult error, out nint name);

    [LibraryImport(Library)]
    internal static partial CudaResult cuGetErrorString(CudaResult error, out nint text);

    // Optional: used only where CudaDriver.HasGraphs.
    [LibraryImport(Library, EntryPoint = "cuStreamBeginCapture_v2")]
    internal static partial CudaResult cuStreamBeginCapture(nint stream, int mode);

    [LibraryImport(Library)]
    internal static partial CudaResult cuStreamEndCapture(nint stream, out nint graph);

    [LibraryImport(Library)]
    internal static partial CudaResult cuGraphInstantiateWithFlags(out nint executable, nint graph, ulong flags);

    [LibraryImport(Library)]
    internal static partial CudaResult cuGraphLaunch(nint executable, nint stream);

    [LibraryImport(Library)]
    internal static partial CudaResult cuGraphExecDestroy(nint executable);

    [LibraryImport(Library)]
    internal static partial CudaResult cuGraphDestroy(nint graph);
}
