using System.CommandLine;
using Farm.Core;

namespace Farm.Cli.Options;

/// <summary>The flags <c>--device</c> and <c>--blas</c>.</summary>
internal sealed class DeviceOption
{
    private readonly Option<string> _device = new("--device")
    {
        Description = "Where the work is done; cuda-sim runs the GPU's kernels on a simulated driver, slowly.",
        HelpName = DeviceChoice.HelpName,
        DefaultValueFactory = _ => "cpu",
    };

    private readonly Option<string> _blas = new("--blas")
    {
        Description = "Whose kernels do the large products of training on a GPU: Farm's own, or those of NVIDIA's cuBLASLt where it is installed (not yet run against it).",
        HelpName = "own|cublaslt",
        DefaultValueFactory = _ => "own",
    };

    /// <summary>Adds the flag to a verb.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_device);
        command.Options.Add(_blas);
    }

    /// <summary>Reads the flags.</summary>
    public DeviceChoice Read(ParseResult result)
    {
        var device = DeviceChoice.Parse(result.GetRequiredValue(_device));
        return result.GetRequiredValue(_blas) switch
        {
            "own" => device,
            "cublaslt" when device.IsCuda => device with { CublasLt = true },
            "cublaslt" => throw new BadInputException($"--blas cublaslt goes with --device cuda, not {device.Name}: the CPU's products are Farm's own."),
            var other => throw new BadInputException($"--blas must be own or cublaslt, not '{other}'."),
        };
    }
}
