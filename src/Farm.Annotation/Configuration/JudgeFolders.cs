using Farm.Core;

namespace Farm.Annotation.Configuration;

/// <summary>Finds the judge that a name or a path means.</summary>
public static class JudgeFolders
{
    /// <summary>Where the judges that come with Farm are.</summary>
    public static string Shipped { get; } = Path.Combine(AppContext.BaseDirectory, "evaluators_configs");

    /// <summary>The names of the judges that come with Farm.</summary>
    public static IReadOnlyList<string> Names { get; } = Directory.Exists(Shipped)
        ? [.. Directory.EnumerateDirectories(Shipped).Where(d => File.Exists(Path.Combine(d, "configs.yaml"))).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal)]
        : [];

    /// <summary>Reads a judge by the path of its folder or file, or by the name of one that comes with Farm.</summary>
    /// <exception cref="BadInputException">There is none, or it is not what it should be.</exception>
    public static IReadOnlyList<JudgeConfig> Read(string nameOrPath)
    {
        ArgumentException.ThrowIfNullOrEmpty(nameOrPath);
        if (!Path.Exists(nameOrPath) && Names.Contains(nameOrPath))
        {
            return JudgeConfigReader.Read(Path.Combine(Shipped, nameOrPath));
        }

        if (!Path.Exists(nameOrPath))
        {
            throw new BadInputException($"The judge {nameOrPath} does not exist: give a folder with configs.yaml, a YAML file, or one of {string.Join(", ", Names)}.");
        }

        return JudgeConfigReader.Read(nameOrPath);
    }
}
