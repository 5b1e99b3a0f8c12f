using System.CommandLine;
using Farm.Core;

namespace Farm.Cli.Options;

/// <summary>Where a trainer's work is done, and what its products round their operands to: <c>--device</c>, <c>--blas</c>, <c>--activations</c>.</summary>
internal sealed class TrainingDeviceOptions
{
    private readonly DeviceOption _device = new();
    private readonly Option<string> _activations = new("--activations") { Description = "What products round their operands to; bf16 goes with a GPU, up to three times as fast.", HelpName = "f32|bf16", DefaultValueFactory = _ => "f32" };

    /// <summary>Adds the flags to a verb.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_activations);
        _device.AddTo(command);
    }

    /// <summary>Reads and checks the flags.</summary>
    public (DeviceChoice Device, bool Bf16Activations) Read(ParseResult result)
    {
        var device = _device.Read(result);
        return (device, result.GetRequiredValue(_activations) switch
        {
            "f32" => false,
            "bf16" when device.IsCuda => true,
            "bf16" => throw new BadInputException("--activations bf16 goes with --device cuda for training."),
            var other => throw new BadInputException($"--activations must be f32 or bf16, not '{other}'."),
        });
    }
}
