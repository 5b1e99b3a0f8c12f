using Farm.Core;

namespace Farm.Pocket.Embedded;

/// <summary>Where the embedded models lie after extraction.</summary>
/// <param name="Policy">Model folder of the instruction-following policy.</param>
/// <param name="Reward">Model folder of the reward model.</param>
public sealed record ModelFolders(string Policy, string Reward);

/// <summary>The trained pocket models that this assembly carries.</summary>
public static class EmbeddedModels
{
    private static readonly Lazy<ModelBundle> s_bundle = new(() => ModelBundle.FromResources(typeof(EmbeddedModels).Assembly));

    /// <summary>False in a build without trained models.</summary>
    public static bool Available => s_bundle.Value.HasModels;

    /// <summary>SHA-256 and path of each file, as lines of the command sha256sum.</summary>
    public static IReadOnlyList<string> Checksums => s_bundle.Value.Checksums;

    /// <summary>
    /// Writes the models into a folder of their own below <paramref name="cacheFolder"/>, named by their checksums, and checks every file by SHA-256. What
    /// is there already and right is left alone; the folder appears whole or not at all, also when several processes extract at once.
    /// </summary>
    /// <exception cref="BadInputException">There are no embedded models, or the folder cannot be written.</exception>
    /// <exception cref="InvalidDataException">The assembly is damaged: a file does not have its checksum.</exception>
    public static ModelFolders Extract(string cacheFolder) => s_bundle.Value.Extract(cacheFolder);
}
