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
    public static MachineLimits Measure(IBackend backend)
    {
        var measured = ((CpuBackend)backend).Measure();
        return new MachineLimits(measured.ReadGigabytesPerSecond * 1e9, measured.FmaGigaflops * 1e9, measured.VnniGigaops * 1e9);
    }
}
