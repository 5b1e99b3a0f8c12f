using System.Globalization;
using Farm.Cli.Engine;
using Farm.Cli.Gradients;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Spectre.Console;

namespace Farm.Cli.Verbs;

/// <summary><c>farm doctor --gradients</c>: the gradient of every operation and of small whole models against finite differences, on a device.</summary>
internal static class GradientDoctor
{
    /// <summary>Checks and prints; a gradient that differs is a failure.</summary>
    public static int Run(DeviceChoice device, int threads, bool json, CancellationToken cancellation)
    {
        using var backend = Backends.Create(device, threads);
        bool simulated = Backends.IsSimulated(backend);
        var checks = new List<GradientCheck>();
        foreach (var gradientCase in OperationGradients.All().Concat(FeedbackGradients.All()).Concat(ModelGradients.All()))
        {
            cancellation.ThrowIfCancellationRequested();

            // The simulator takes milliseconds for a launch.
            checks.AddRange(GradientCheck.Run(gradientCase, backend, elements: simulated ? 3 : 12));
        }

        if (json)
        {
            Write(backend.Name, checks, simulated);
        }
        else
        {
            Print(backend.Name, checks, simulated);
        }

        return checks.All(c => c.Passed) ? ExitCodes.Done : ExitCodes.Failed;
    }

    private static void Print(string device, List<GradientCheck> checks, bool simulated)
    {
        // A row for each operation or model; the operands are in the JSON.
        var table = new Table().Border(TableBorder.Simple).AddColumn("gradient of").AddColumn(new TableColumn("elements").RightAligned())
            .AddColumn(new TableColumn("max relative error").RightAligned()).AddColumn(new TableColumn("allowed").RightAligned()).AddColumn("");
        var operations = checks.GroupBy(c => c.Op).ToList();
        foreach (var operands in operations)
        {
            table.AddRow(new Text(operands.Key), new Text(operands.Sum(c => c.Elements).ToString(CultureInfo.InvariantCulture)),
                new Text(operands.Select(c => c.Error).Aggregate(Math.Max).ToString("E1", CultureInfo.InvariantCulture)),
                new Text(operands.First().Tolerance.ToString("E1", CultureInfo.InvariantCulture)), new Text(operands.All(c => c.Passed) ? "pass" : "DIFFERS"));
        }

        AnsiConsole.Write(table);
        Console.Out.WriteLine($"{operations.Count(o => o.All(c => c.Passed))} of {operations.Count} gradients on {device} are the finite differences of their function (five points, float32 summed in float64).");
        if (simulated)
        {
            Console.Out.WriteLine(CudaDoctor.NotYetRun);
        }
    }

    private static void Write(string device, List<GradientCheck> checks, bool simulated) => StandardOutput.WriteLine(w =>
    {
        w.WriteStartObject();
        w.WriteString("device", device);
        w.WriteBoolean("simulator", simulated);
        w.WriteBoolean("passed", checks.All(c => c.Passed));
        w.WriteStartArray("gradients");
        foreach (var check in checks)
        {
            w.WriteStartObject();
            w.WriteString("op", check.Op);
            w.WriteString("operand", check.Operand);
            w.WriteNumber("elements", check.Elements);
            if (double.IsFinite(check.Error))
            {
                w.WriteNumber("max_relative_error", check.Error);
            }

            w.WriteNumber("tolerance", check.Tolerance);
            w.WriteBoolean("passed", check.Passed);
            w.WriteEndObject();
        }

        w.WriteEndArray();
        w.WriteEndObject();
    });
}
