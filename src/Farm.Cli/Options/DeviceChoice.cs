using System.Globalization;
using Farm.Core;

namespace Farm.Cli.Options;

/// <summary>What <c>--device</c> names.</summary>
/// <param name="Name">As the user wrote it.</param>
/// <param name="IsCuda">A GPU, or the simulator in its place.</param>
/// <param name="IsSimulator">The bundled driver simulator.</param>
/// <param name="Ordinal">Number of the GPU.</param>
internal sealed record DeviceChoice(string Name, bool IsCuda, bool IsSimulator, int Ordinal)
{
    /// <summary>What the flag's help shows.</summary>
    public const string HelpName = "cpu|cuda|cuda:N|cuda-sim";

    /// <summary>The CPU.</summary>
    public static DeviceChoice Cpu { get; } = new("cpu", IsCuda: false, IsSimulator: false, Ordinal: 0);

    /// <summary>Whether cuBLASLt does the large products of training: what <c>--blas</c> names.</summary>
    public bool CublasLt { get; init; }

    /// <summary>What decides the last bits of a training step, for the fingerprint of a run.</summary>
    public string Fingerprint => CublasLt ? $"{Name}, cublaslt" : Name;

    /// <summary>Reads the flag's value.</summary>
    public static DeviceChoice Parse(string text) => text switch
    {
        "cpu" => Cpu,
        "cuda" => new DeviceChoice(text, IsCuda: true, IsSimulator: false, 0),
        "cuda-sim" => new DeviceChoice(text, IsCuda: true, IsSimulator: true, 0),
        _ when text.StartsWith("cuda:", StringComparison.Ordinal) && int.TryParse(text.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out int ordinal) =>
            new DeviceChoice(text, IsCuda: true, IsSimulator: false, ordinal),
        _ => throw new BadInputException($"--device must be cpu, cuda, cuda: with the number of a GPU, or cuda-sim, not '{text}'."),
    };
}
