using System.CommandLine;
using System.Globalization;
using Farm.Cli.Engine;
using Farm.Cli.Kernels;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Core;
using Farm.Cuda.Driver;
using Spectre.Console;
using MachineLimits = Farm.Cli.Machine.MachineLimits;

namespace Farm.Cli.Verbs;

/// <summary><c>farm bench kernels</c>: single operations at the shapes of real models.</summary>
internal static class BenchKernelsVerb
{
    private const string NotYetRun = "Counts of the driver simulator; not yet run on a GPU, and no times.";

    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var device = new DeviceOption();
        var op = new Option<string?>("--op") { Description = "Only operations whose name begins so.", HelpName = "NAME" };
        var model = new Option<string?>("--model")
        {
            Description = "Whose shapes; llama-7b unless given, on the simulator small.",
            HelpName = string.Join('|', ModelShape.All.Select(m => m.Name)),
        };
        var threads = new Option<int>("--threads") { Description = "Threads of the CPU's kernels.", HelpName = "T", DefaultValueFactory = _ => Environment.ProcessorCount };
        var json = new Option<bool>("--json") { Description = "Prints JSON lines." };
        var command = new Command(
            "kernels",
            "Runs each operation at a model's shapes: a decode step of 16 samples, a prefill pass, a training pass. Prints time, the least bytes and operations, and the share of the machine's peak "
            + "that they reach; on the driver simulator what the kernels moved and did, never times.");
        foreach (Option option in new Option[] { op, model, threads, json })
        {
            command.Options.Add(option);
        }

        device.AddTo(command);
        command.SetAction(result =>
        {
            var chosen = device.Read(result);
            var shape = ModelShape.Parse(result.GetValue(model) ?? (chosen.IsSimulator ? "small" : "llama-7b"));
            string? prefix = result.GetValue(op);
            KernelCase[] cases = [.. Cases(shape).Where(c => prefix is null || c.Op.StartsWith(prefix, StringComparison.Ordinal))];
            if (cases.Length == 0)
            {
                throw new BadInputException($"--op {prefix} is no operation; there are {string.Join(", ", Cases(shape).Select(c => c.Op).Distinct())}.");
            }

            using var backend = Backends.Create(chosen, EngineOptions.CheckThreads(result.GetValue(threads)));
            if (Backends.IsSimulated(backend))
            {
                Count(cases, backend, shape, result.GetValue(json), cancellation);
            }
            else
            {
                Time(cases, backend, shape, result.GetValue(json), cancellation);
            }

            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>The cases at a model's shapes.</summary>
    internal static IEnumerable<KernelCase> Cases(ModelShape shape) =>
        InferenceCases.Of(shape, decode: 16, prefill: 512, context: 2048).Concat(TrainingCases.Of(shape, rows: 512, sequences: 2));

    private static void Time(KernelCase[] cases, ITrainingBackend backend, ModelShape shape, bool json, CancellationToken cancellation)
    {
        var limits = Backends.Measure(backend);
        var table = Columns("time", "GB/s", "of peak", "GFLOP/s", "of peak");
        foreach (var kernel in cases)
        {
            cancellation.ThrowIfCancellationRequested();
            double seconds = KernelTiming.Seconds(kernel, backend), bandwidth = kernel.Bytes / seconds, rate = kernel.Flops / seconds;
            if (json)
            {
                StandardOutput.WriteLine(w =>
                {
                    w.WriteStartObject();
                    w.WriteString("device", backend.Name);
                    w.WriteString("model", shape.Name);
                    w.WriteString("op", kernel.Op);
                    w.WriteString("shape", kernel.Shape);
                    w.WriteNumber("bytes", kernel.Bytes);
                    w.WriteNumber("flops", kernel.Flops);
                    w.WriteNumber("seconds", seconds);
                    w.WriteNumber("bytes_per_second", Math.Round(bandwidth));
                    w.WriteNumber("flops_per_second", Math.Round(rate));
                    if (limits is { } known)
                    {
                        w.WriteNumber("bytes_fraction_of_peak", Math.Round(bandwidth / known.ReadBytes, 4));
                        w.WriteNumber("flops_fraction_of_peak", Math.Round(rate / known.FloatOperations, 4));
                    }

                    w.WriteEndObject();
                });
                continue;
            }

            Row(table, kernel, TimeText(seconds), Number(bandwidth / 1e9), Share(bandwidth / limits?.ReadBytes), Number(rate / 1e9), Share(rate / limits?.FloatOperations));
        }

        if (!json)
        {
            AnsiConsole.Write(table);
            Console.Out.WriteLine(Peaks(backend, limits));
        }
    }

    private static void Count(KernelCase[] cases, ITrainingBackend backend, ModelShape shape, bool json, CancellationToken cancellation)
    {
        var table = Columns("launches", "least MB", "memory MB", "ratio", "cache MB", "ratio", "MFLOP", "mma", "conflicts");
        foreach (var kernel in cases)
        {
            cancellation.ThrowIfCancellationRequested();
            var kernels = KernelCounting.Run(kernel, backend);
            var counted = kernels.Values.Aggregate(SimulatorCounters.Zero, SimulatorCounters.Add);
            if (json)
            {
                StandardOutput.WriteLine(w =>
                {
                    w.WriteStartObject();
                    w.WriteString("device", backend.Name);
                    w.WriteString("note", NotYetRun);
                    w.WriteString("model", shape.Name);
                    w.WriteString("op", kernel.Op);
                    w.WriteString("shape", kernel.Shape);
                    w.WriteNumber("bytes", kernel.Bytes);
                    w.WriteNumber("flops", kernel.Flops);
                    w.WriteNumber("launches", counted.Launches);
                    w.WriteNumber("global_unique_bytes", counted.UniqueBytes);
                    w.WriteNumber("global_sector_bytes", counted.SectorBytes);
                    w.WriteNumber("scalar_flops", counted.Flops);
                    w.WriteNumber("tensor_flops", counted.MmaFlops);
                    w.WriteNumber("mma", counted.Mma);
                    w.WriteNumber("bank_conflicts", counted.BankConflicts);
                    w.WriteStartObject("kernels");
                    foreach (var (name, part) in kernels.OrderBy(k => k.Key, StringComparer.Ordinal))
                    {
                        w.WriteStartObject(name);
                        w.WriteNumber("launches", part.Launches);
                        w.WriteNumber("global_unique_bytes", part.UniqueBytes);
                        w.WriteNumber("global_sector_bytes", part.SectorBytes);
                        w.WriteNumber("mma", part.Mma);
                        w.WriteNumber("bank_conflicts", part.BankConflicts);
                        w.WriteEndObject();
                    }

                    w.WriteEndObject();
                    w.WriteEndObject();
                });
                continue;
            }

            Row(table, kernel, Counts(counted, kernel.Bytes));
            foreach (var (name, part) in kernels.OrderBy(k => k.Key, StringComparer.Ordinal))
            {
                // The least of an operation is all of its kernels' together.
                string[] cells = Counts(part, kernels.Count == 1 ? kernel.Bytes : null);
                table.AddRow([new Text(string.Empty), new Text("  " + name, Style.Plain.Decoration(Decoration.Dim)), .. cells.Select(c => new Text(c, Style.Plain.Decoration(Decoration.Dim)))]);
            }
        }

        if (!json)
        {
            AnsiConsole.Write(table);
            Console.Out.WriteLine("memory: every sector of 32 bytes that a launch touches, once; cache: every one that a warp asks for, each time. An operation, then its kernels.");
            Console.Out.WriteLine(NotYetRun);
        }
    }

    // Launches, least, memory and its ratio, cache and its ratio, scalar operations, tensor-core instructions, bank conflicts.
    private static string[] Counts(SimulatorCounters counted, double? least) =>
    [
        Whole(counted.Launches), least is { } bytes ? Number(bytes / 1e6) : string.Empty, Number(counted.UniqueBytes / 1e6), Ratio(counted.UniqueBytes / least),
        Number(counted.SectorBytes / 1e6), Ratio(counted.SectorBytes / least), Number(counted.Flops / 1e6), Whole(counted.Mma), Whole(counted.BankConflicts),
    ];

    private static string Whole(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Ratio(double? value) => value is { } r ? r.ToString("F2", CultureInfo.InvariantCulture) : string.Empty;

    private static Table Columns(params string[] names)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("operation").AddColumn("shape");
        foreach (string name in names)
        {
            table.AddColumn(new TableColumn(name).RightAligned());
        }

        return table;
    }

    private static void Row(Table table, KernelCase kernel, params string[] cells) =>
        table.AddRow([new Text(kernel.Op), new Text(kernel.Shape), .. cells.Select(c => new Text(c))]);

    private static string Number(double value) => value.ToString(value >= 100 ? "F0" : value >= 1 ? "F2" : "G3", CultureInfo.InvariantCulture);

    private static string Share(double? fraction) => fraction is { } f ? f.ToString("P0", CultureInfo.InvariantCulture) : string.Empty;

    private static string TimeText(double seconds) => seconds < 1e-3
        ? string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e6:F1} us")
        : string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e3:F2} ms");

    private static string Peaks(ITrainingBackend backend, MachineLimits? limits) => limits is { } l
        ? string.Create(CultureInfo.InvariantCulture, $"{backend.Name}: peaks {l.ReadBytes / 1e9:F0} GB/s, {l.FloatOperations / 1e9:F0} GFLOP/s. Bytes and operations are the least an operation needs; caches keep what fits between runs.")
        : $"{backend.Name}: this chip's peaks are not listed.";
}
