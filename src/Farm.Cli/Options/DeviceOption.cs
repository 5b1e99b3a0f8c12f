using System.CommandLine;

namespace Farm.Cli.Options;

/// <summary>The flag <c>--device</c>.</summary>
internal sealed class DeviceOption
{
    private readonly Option<string> _device = new("--device")
    {
        Description = "Where the work is done; cuda-sim runs the GPU's kernels on a simulated driver, slowly.",
        HelpName = DeviceChoice.HelpName,
        DefaultValueFactory = _ => "cpu",
    };

    /// <summary>Adds the flag to a verb.</summary>
    public void AddTo(Command command) => command.Options.Add(_device);

    /// <summary>Reads the flag.</summary>
    public DeviceChoice Read(ParseResult result) => DeviceChoice.Parse(result.GetRequiredValue(_device));
}
