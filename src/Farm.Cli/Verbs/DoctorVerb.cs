using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using Farm.Cli.Engine;
using Farm.Cli.Machine;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Core;

namespace Farm.Cli.Verbs;

/// <summary><c>farm doctor</c>: what this machine is and can do.</summary>
internal static class DoctorVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var threads = new Option<int>("--threads") { Description = "Threads to measure with.", HelpName = "T", DefaultValueFactory = _ => Environment.ProcessorCount };
        var json = new Option<bool>("--json") { Description = "Prints JSON." };
        var gradients = new Option<bool>("--gradients") { Description = "Checks instead the gradient of every operation and of small whole models against finite differences, on the device." };
        var planted = new Option<bool>("--planted") { Description = "With --device cuda-sim: plants mistakes in the kernels and shows by which name the simulator's checker finds each." };
        var device = new DeviceOption();
        var command = new Command(
            "doctor",
            "Shows the CPU's features, measured limits, the kernels chosen, and whether CUDA is found; with --device cuda what the GPU is, and whether every kernel computes on it what the CPU does.");
        command.Options.Add(threads);
        command.Options.Add(gradients);
        command.Options.Add(json);
        command.Options.Add(planted);
        device.AddTo(command);
        command.SetAction(result =>
        {
            int count = EngineOptions.CheckThreads(result.GetRequiredValue(threads));
            var chosen = device.Read(result);
            if (result.GetValue(gradients))
            {
                return GradientDoctor.Run(chosen, count, result.GetValue(json), cancellation);
            }

            if (result.GetValue(planted))
            {
                return chosen.IsSimulator ? PlantedDoctor.Run(result.GetValue(json), cancellation) : throw new BadInputException("--planted changes kernels on the driver simulator; it needs --device cuda-sim.");
            }

            return chosen.IsCuda ? CudaDoctor.Run(chosen, count, result.GetValue(json), cancellation) : Cpu(count, result.GetValue(json));
        });
        return command;
    }

    private static int Cpu(int threads, bool json)
    {
        var cpu = Backends.Inspect(threads);
        var cuda = CudaProbe.Run();
        if (json)
        {
            StandardOutput.WriteLine(w =>
            {
                w.WriteStartObject();
                w.WriteString("architecture", RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant());
                w.WriteStartArray("cpu_features");
                foreach (string feature in cpu.Features)
                {
                    w.WriteStringValue(feature);
                }

                w.WriteEndArray();
                w.WriteString("kernels", cpu.Kernels);
                w.WriteNumber("threads", cpu.Threads);
                w.WriteNumber("processors", Environment.ProcessorCount);
                w.WriteNumber("memory_bytes", GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
                w.WriteNumber("read_gigabytes_per_second", Math.Round(cpu.Limits.ReadBytes / 1e9, 2));
                w.WriteNumber("fma_gigaflops", Math.Round(cpu.Limits.FloatOperations / 1e9, 1));
                w.WriteNumber("bf16_gigaflops", Math.Round(cpu.Limits.Bf16Operations / 1e9, 1));
                w.WriteNumber("int8_gigaops", Math.Round(cpu.Limits.IntegerOperations / 1e9, 1));
                w.WriteBoolean("cuda_found", cuda.Found);
                w.WriteString("cuda", cuda.Detail);
                w.WriteEndObject();
            });
            return ExitCodes.Done;
        }

        Line("cpu", $"{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}, {Environment.ProcessorCount} processors: {string.Join(' ', cpu.Features)}");
        Line("kernels", $"{cpu.Kernels}, {cpu.Threads} threads");
        Line("memory", string.Create(CultureInfo.InvariantCulture, $"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1073741824.0:F1} GiB, read at {cpu.Limits.ReadBytes / 1e9:F1} GB/s"));
        Line("arithmetic", string.Create(CultureInfo.InvariantCulture, $"f32 {cpu.Limits.FloatOperations / 1e9:F0} GFLOP/s, int8 {cpu.Limits.IntegerOperations / 1e9:F0} GOP/s{Bf16(cpu.Limits)}"));
        Line("cuda", cuda.Detail);
        return ExitCodes.Done;
    }

    private static string Bf16(MachineLimits limits) =>
        limits.Bf16Operations > 0 ? string.Create(CultureInfo.InvariantCulture, $", bf16 {limits.Bf16Operations / 1e9:F0} GFLOP/s") : string.Empty;

    private static void Line(string name, string text) => Console.Out.WriteLine($"{name,-10}  {text}");
}
