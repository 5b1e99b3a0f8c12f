using System.Text.Json;
using Farm.Cli.Machine;
using Farm.Cli.Options;
using Farm.Core;
using Farm.Cpu;
using Farm.Cuda;
using Farm.Cuda.Driver;
using MachineLimits = Farm.Cli.Machine.MachineLimits;

namespace Farm.Cli.Engine;

/// <summary>The composition root: the only place that knows which backends there are.</summary>
internal static class Backends
{
    /// <summary>The backend that the flags ask for.</summary>
    public static IReinforcementBackend Create(EngineSettings settings) => Create(settings.Device, settings.Threads, settings.Bf16Activations);

    /// <summary>The backend of a device.</summary>
    /// <exception cref="BadInputException">There is no such device here, or no cuBLASLt; the message says what was looked for.</exception>
    public static IReinforcementBackend Create(DeviceChoice device, int threads, bool bf16Activations = false) => device.IsCuda
        ? new CudaBackend(device.Ordinal, device.IsSimulator, bf16Activations, device.CublasLt) { Compute = bf16Activations ? CudaCompute.BF16 : CudaCompute.F32 }
        : new CpuBackend(threads, bf16Activations: bf16Activations);

    /// <summary>Refuses a run that a device with memory of its own does not hold, before anything is loaded; says so where the host does not.</summary>
    /// <param name="backend">The device.</param>
    /// <param name="planned">Bytes that the run is planned to take.</param>
    /// <param name="scratch">Those of them that the device's operations take; they are reserved at once.</param>
    /// <param name="remedy">What to change, as the end of a sentence.</param>
    /// <exception cref="BadInputException">The device has less left.</exception>
    public static void RequireMemory(IBackend backend, long planned, long scratch, string remedy)
    {
        if (backend is IMemoryLimits device)
        {
            if (planned > device.FreeBytes)
            {
                throw new BadInputException(FormattableString.Invariant(
                    $"The run is planned to take {Mebibytes(planned)} MiB of {backend.Name}, where {Mebibytes(device.FreeBytes)} of {Mebibytes(device.TotalBytes)} MiB are free: {remedy}."));
            }

            (backend as IScratchMemory)?.ReserveScratch(scratch);
            return;
        }

        long machine = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (planned > machine)
        {
            Console.Error.WriteLine(FormattableString.Invariant($"The plan is more than the {machine / 1073741824.0:F1} GiB that this machine has."));
        }

        static long Mebibytes(long bytes) => (bytes + (1 << 20) - 1) >> 20;
    }

    /// <summary>Writes what a run was planned to take of the device, and the most that it held where the device has memory of its own.</summary>
    public static void WriteMemory(Utf8JsonWriter writer, long planned)
    {
        writer.WriteNumber("planned_bytes", planned);
        if (CudaBackend.MostBytes is > 0 and var most)
        {
            writer.WriteNumber("peak_device_bytes", most);
        }
    }

    /// <summary>Whether the backend rounds the activations of bf16 weights.</summary>
    public static bool Bf16Activations(IBackend backend) => backend is CpuBackend { Bf16Activations: true } or CudaBackend { Bf16Activations: true };

    /// <summary>Whether the backend's times mean nothing.</summary>
    public static bool IsSimulated(IBackend backend) => backend is CudaBackend && CudaDriver.IsSimulator;

    /// <summary>
    /// What the backend's machine can do: measured on a CPU, which takes a second or two; the data sheet's peaks of a GPU. Null where neither is known.
    /// </summary>
    public static MachineLimits? Measure(IBackend backend)
    {
        if (backend is CudaBackend cuda)
        {
            return !CudaDriver.IsSimulator && cuda.Gpu.Peaks is { } peaks
                ? new MachineLimits(peaks.MemoryBytesPerSecond, peaks.Bf16FlopsPerSecond, peaks.Bf16FlopsPerSecond, peaks.Bf16FlopsPerSecond)
                : null;
        }

        var measured = ((CpuBackend)backend).Measure();
        return new MachineLimits(measured.ReadBytesPerSecond, measured.FlopsPerSecond, measured.Int8OperationsPerSecond, measured.Bf16FlopsPerSecond);
    }

    /// <summary>What the CPU backend makes of this machine.</summary>
    public static CpuReport Inspect(int threads)
    {
        using var backend = new CpuBackend(threads);
        string kernels = backend.Level switch
        {
            SimdLevel.Avx512Bf16 => "AVX-512 with VNNI and BF16",
            SimdLevel.Avx512Vnni => "AVX-512 with VNNI",
            SimdLevel.Avx512 => "AVX-512",
            SimdLevel.Avx2 => "AVX2 and FMA",
            SimdLevel.Portable => "portable",
            var level => level.ToString(),
        };
        return new CpuReport(CpuFeatures.Names(), kernels, backend.Threads, Measure(backend)!.Value);
    }
}
