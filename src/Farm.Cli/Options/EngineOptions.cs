using System.CommandLine;
using Farm.Core;

namespace Farm.Cli.Options;

/// <summary>Where and in which precision a model runs.</summary>
internal sealed record EngineSettings(DeviceChoice Device, int Threads, DType DType, bool Bf16Activations)
{
    /// <summary>What decides a result's last bits, for the fingerprint of a run.</summary>
    public string Precision => Bf16Activations ? $"{DType.Name()}, bf16 activations" : DType.Name();
}

/// <summary>The flags <c>--device</c>, <c>--threads</c>, <c>--dtype</c>, <c>--activations</c>.</summary>
internal sealed class EngineOptions
{
    private readonly DeviceOption _device = new();

    private readonly Option<int> _threads = new("--threads")
    {
        Description = "Threads of the CPU's kernels.",
        HelpName = "T",
        DefaultValueFactory = _ => Environment.ProcessorCount,
    };

    private readonly Option<string> _dtype = new("--dtype")
    {
        Description = "How the weights are held; int8 quantises them in groups of 64.",
        HelpName = "f32|bf16|int8",
        DefaultValueFactory = _ => "bf16",
    };

    private readonly Option<string> _activations = new("--activations")
    {
        Description = "What bf16 weights are multiplied with; bf16 is up to twice as fast on a CPU, which must have AVX512_BF16, and up to three times on a GPU.",
        HelpName = "f32|bf16",
        DefaultValueFactory = _ => "f32",
    };

    /// <summary>Adds the flags to a verb.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_dtype);
        command.Options.Add(_activations);
        command.Options.Add(_threads);
        _device.AddTo(command);
    }

    /// <summary>The number of threads, if it is one.</summary>
    public static int CheckThreads(int threads) =>
        threads is >= 1 and <= 1024 ? threads : throw new BadInputException($"--threads must be from 1 to 1024, not {threads}.");

    /// <summary>Reads and checks the flags.</summary>
    public EngineSettings Read(ParseResult result)
    {
        var device = _device.Read(result);
        int threads = CheckThreads(result.GetRequiredValue(_threads));
        string name = result.GetRequiredValue(_dtype);
        var type = name switch
        {
            "f32" => DType.F32,
            "bf16" => DType.BF16,
            "int8" => DType.I8,
            _ => throw new BadInputException($"--dtype must be f32, bf16 or int8, not '{name}'."),
        };
        bool bf16Activations = result.GetRequiredValue(_activations) switch
        {
            "f32" => false,
            "bf16" when type == DType.BF16 => true,
            "bf16" => throw new BadInputException($"--activations bf16 goes with --dtype bf16, not {name}."),
            var other => throw new BadInputException($"--activations must be f32 or bf16, not '{other}'."),
        };
        return new EngineSettings(device, threads, type, bf16Activations);
    }
}
