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
        Description = "Whose kernels multiply large matrices on a GPU; there are only Farm's own so far.",
        HelpName = "own",
        DefaultValueFactory = _ => "own",
    };

    /// <summary>Adds the flag to a verb.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_device);
        command.Options.Add(_blas);
    }

    /// <summary>Reads the flag.</summary>
    public DeviceChoice Read(ParseResult result) => result.GetRequiredValue(_blas) is "own"
        ? DeviceChoice.Parse(result.GetRequiredValue(_device))
        : throw new BadInputException($"--blas must be own, not '{result.GetRequiredValue(_blas)}': products by cuBLASLt are not built in, Farm's own kernels do all of them.");
}
