using Farm.Core;

namespace Farm.Cli.Options;

/// <summary>Checks of flags that several verbs have.</summary>
internal static class FlagChecks
{
    /// <summary>The folder of <c>--output</c>, which may not be there yet.</summary>
    /// <exception cref="BadInputException">It is a file.</exception>
    public static string OutputFolder(string path) => File.Exists(path) ? throw new BadInputException($"--output {path} is a file, not a folder.") : path;

    /// <summary>The rows of <c>--max-instances</c>, null for all.</summary>
    /// <exception cref="BadInputException">There are none.</exception>
    public static int? MaxInstances(int? most) => most < 1 ? throw new BadInputException($"--max-instances must be at least 1, not {most}.") : most;

    /// <summary>A type that weights are trained or saved in.</summary>
    /// <exception cref="BadInputException">It is another.</exception>
    public static DType TrainingType(string flag, string name) => name switch
    {
        "f32" => DType.F32,
        "bf16" => DType.BF16,
        _ => throw new BadInputException($"{flag} must be f32 or bf16, not '{name}'."),
    };
}
