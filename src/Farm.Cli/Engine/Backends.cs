using Farm.Cli.Machine;
using Farm.Cli.Options;
using Farm.Core;
using Farm.Cpu;
using MachineLimits = Farm.Cli.Machine.MachineLimits;

namespace Farm.Cli.Engine;

/// <summary>The composition root: the only place that knows which backends there are.</summary>
internal static class Backends
{
    /// <summary>The backend that the flags ask for.</summary>
    public static IBackend Create(EngineSettings settings) => new CpuBackend(settings.Threads, bf16Activations: settings.Bf16Activations);

    /// <summary>Whether the backend rounds the activations of bf16 weights.</summary>
    public static bool Bf16Activations(IBackend backend) => backend is CpuBackend { Bf16Activations: true };

    /// <summary>Measures what the backend's machine can do; takes a second or two.</summary>
    public static MachineLimits Measure(IBackend backend)
    {
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
        return new CpuReport(CpuFeatures.Names(), kernels, backend.Threads, Measure(backend));
    }
}
