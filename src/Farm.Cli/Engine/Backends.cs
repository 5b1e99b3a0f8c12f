using Farm.Cli.Machine;
using Farm.Cli.Options;
using Farm.Core;
using Farm.Cpu;

namespace Farm.Cli.Engine;

/// <summary>The composition root: the only place that knows which backends there are.</summary>
internal static class Backends
{
    /// <summary>The backend that the flags ask for.</summary>
    public static IBackend Create(EngineSettings settings) => new CpuBackend(settings.Threads);

    /// <summary>Measures what the backend's machine can do; takes a second or two.</summary>
    public static MachineLimits Measure(IBackend backend) => Limits(((CpuBackend)backend).Measure());

    /// <summary>What the CPU backend makes of this machine.</summary>
    public static CpuReport Inspect(int threads)
    {
        using var backend = new CpuBackend(threads);
        return new CpuReport(CpuInfo.Features, backend.Level.ToString(), threads, Limits(backend.Measure()));
    }

    private static MachineLimits Limits(CpuMeasurement measured) =>
        new(measured.ReadBandwidth * 1e9, measured.FmaPeak * 1e9, measured.VnniPeak * 1e9);
}
