using System.Globalization;
using Farm.Cli.Kernels;
using Farm.Cli.Machine;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Cpu;
using Farm.Cuda;
using Farm.Cuda.Driver;
using Spectre.Console;

namespace Farm.Cli.Verbs;

/// <summary><c>farm doctor --device cuda</c>: the GPU, every kernel against the CPU, and how near the chip's peaks the main ones come.</summary>
internal static class CudaDoctor
{
    /// <summary>Said wherever results are the simulator's.</summary>
    public const string NotYetRun = "On the driver simulator: not yet run on a GPU, and no times.";

    /// <summary>Runs the checks; a device that cannot be used is bad input, a kernel that differs a failure.</summary>
    public static int Run(DeviceChoice device, int threads, bool json, CancellationToken cancellation)
    {
        using var backend = new CudaBackend(device.Ordinal, device.IsSimulator, cublasLt: device.CublasLt);
        bool simulated = CudaDriver.IsSimulator;
        using var reference = new CpuBackend(threads);
        if (!json)
        {
            Console.Out.WriteLine(CudaProbe.Describe(backend));
        }

        var checks = new List<KernelCheck>();
        foreach (var kernel in KernelCheck.Cases())
        {
            cancellation.ThrowIfCancellationRequested();
            var check = KernelCheck.Run(kernel, backend, reference);
            checks.Add(check);
            if (check.Failure is not null)
            {
                // A fault takes the context with it: what follows would fail for that alone.
                break;
            }
        }

        bool passed = checks.All(c => c.Passed);
        var speeds = simulated || !passed ? [] : Speeds(backend, cancellation);
        if (json)
        {
            Write(backend, checks, speeds, simulated);
        }
        else
        {
            Print(checks, speeds, simulated, backend);
        }

        return passed ? ExitCodes.Done : ExitCodes.Failed;
    }

    private static List<(KernelCase Case, double Seconds)> Speeds(CudaBackend backend, CancellationToken cancellation)
    {
        string[] shown = ["linear-gate-up", "linear-down", "attention-prefill", "attention-decode", "matmul", "adamw"];
        var speeds = new List<(KernelCase, double)>();
        foreach (var kernel in BenchKernelsVerb.Cases(ModelShape.Parse("llama-7b")).Where(c => shown.Contains(c.Op) && c.Bytes < backend.FreeBytes / 2))
        {
            cancellation.ThrowIfCancellationRequested();
            speeds.Add((kernel, KernelTiming.Seconds(kernel, backend)));
        }

        return speeds;
    }

    private static void Print(List<KernelCheck> checks, List<(KernelCase Case, double Seconds)> speeds, bool simulated, CudaBackend backend)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("operation").AddColumn("shape")
            .AddColumn(new TableColumn("error").RightAligned()).AddColumn(new TableColumn("allowed").RightAligned()).AddColumn("");
        foreach (var check in checks)
        {
            table.AddRow(new Text(check.Case.Op), new Text(check.Case.Shape), new Text(check.Error.ToString("G2", CultureInfo.InvariantCulture)),
                new Text(check.Case.Tolerance.ToString("G2", CultureInfo.InvariantCulture)), new Text(check.Passed ? "pass" : check.Failure is null ? "DIFFERS" : "FAILED"));
        }

        AnsiConsole.Write(table);
        foreach (var check in checks.Where(c => c.Failure is not null))
        {
            Console.Out.WriteLine($"{check.Case.Op}, {check.Case.Shape}: {check.Failure}");
        }

        Console.Out.WriteLine($"{checks.Count(c => c.Passed)} of {checks.Count} checks pass.");
        if (simulated)
        {
            Console.Out.WriteLine(NotYetRun);
            return;
        }

        if (speeds.Count == 0)
        {
            return;
        }

        var peaks = backend.Gpu.Peaks;
        var rates = new Table().Border(TableBorder.Simple).AddColumn("operation").AddColumn("shape").AddColumn("TB/s").AddColumn("of peak").AddColumn("TFLOP/s").AddColumn("of peak");
        foreach (var (kernel, seconds) in speeds)
        {
            double bytes = kernel.Bytes / seconds, flops = kernel.Flops / seconds;
            rates.AddRow(new Text(kernel.Op), new Text(kernel.Shape), new Text((bytes / 1e12).ToString("F3", CultureInfo.InvariantCulture)), Share(bytes / peaks?.MemoryBytesPerSecond),
                new Text((flops / 1e12).ToString("F2", CultureInfo.InvariantCulture)), Share(flops / peaks?.Bf16FlopsPerSecond));
        }

        AnsiConsole.Write(rates);
        Console.Out.WriteLine(peaks is null ? "This chip's peaks are not listed." : FormattableString.Invariant($"Peaks of {peaks.Chip}: {peaks.MemoryBytesPerSecond / 1e12:F2} TB/s, {peaks.Bf16FlopsPerSecond / 1e12:F0} TFLOP/s in bf16."));
    }

    private static Text Share(double? fraction) => new(fraction is { } f ? f.ToString("P0", CultureInfo.InvariantCulture) : string.Empty);

    private static void Write(CudaBackend backend, List<KernelCheck> checks, List<(KernelCase Case, double Seconds)> speeds, bool simulated) => StandardOutput.WriteLine(w =>
    {
        var gpu = backend.Gpu;
        w.WriteStartObject();
        w.WriteString("driver", CudaDriver.LibraryName);
        w.WriteString("driver_version", CudaDriver.Format(CudaDriver.Version));
        w.WriteBoolean("simulator", simulated);
        if (simulated)
        {
            w.WriteString("note", NotYetRun);
        }

        w.WriteString("gpu", gpu.Name);
        w.WriteNumber("ordinal", gpu.Ordinal);
        w.WriteString("compute_capability", FormattableString.Invariant($"{gpu.Major}.{gpu.Minor}"));
        w.WriteNumber("multiprocessors", gpu.Multiprocessors);
        w.WriteNumber("memory_bytes", gpu.MemoryBytes);
        w.WriteNumber("free_bytes", backend.FreeBytes);
        w.WriteBoolean("passed", checks.All(c => c.Passed));
        w.WriteStartArray("checks");
        foreach (var check in checks)
        {
            w.WriteStartObject();
            w.WriteString("op", check.Case.Op);
            w.WriteString("shape", check.Case.Shape);
            w.WriteBoolean("passed", check.Passed);
            if (double.IsFinite(check.Error))
            {
                w.WriteNumber("error", check.Error);
            }

            w.WriteNumber("tolerance", check.Case.Tolerance);
            if (check.Failure is { } failure)
            {
                w.WriteString("failure", failure);
            }

            w.WriteEndObject();
        }

        w.WriteEndArray();
        w.WriteStartArray("speeds");
        foreach (var (kernel, seconds) in speeds)
        {
            w.WriteStartObject();
            w.WriteString("op", kernel.Op);
            w.WriteString("shape", kernel.Shape);
            w.WriteNumber("seconds", seconds);
            w.WriteNumber("bytes_per_second", Math.Round(kernel.Bytes / seconds));
            w.WriteNumber("flops_per_second", Math.Round(kernel.Flops / seconds));
            w.WriteEndObject();
        }

        w.WriteEndArray();
        w.WriteEndObject();
    });
}
