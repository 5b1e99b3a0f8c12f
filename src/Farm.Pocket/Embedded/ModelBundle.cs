using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Farm.Core;

namespace Farm.Pocket.Embedded;

/// <summary>Files by their path under models/, and the list of their checksums in the format of the command sha256sum.</summary>
internal sealed class ModelBundle(string? checksums, IReadOnlyDictionary<string, Func<Stream>> files)
{
    private const string Prefix = "models/";

    /// <summary>True if there are both models.</summary>
    public bool HasModels => checksums is not null && files.ContainsKey("policy/config.json") && files.ContainsKey("reward/config.json");

    /// <summary>The lines of the list of checksums.</summary>
    public IReadOnlyList<string> Checksums { get; } = checksums?.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

    /// <summary>The bundle of an assembly's resources.</summary>
    public static ModelBundle FromResources(Assembly assembly)
    {
        // MSBuild writes the separator of the machine that builds into the names.
        var files = assembly.GetManifestResourceNames().Where(n => n.StartsWith(Prefix, StringComparison.Ordinal))
            .ToDictionary(n => n[Prefix.Length..].Replace('\\', '/'), n => (Func<Stream>)(() => assembly.GetManifestResourceStream(n)!), StringComparer.Ordinal);
        if (!files.Remove("SHA256SUMS", out var list))
        {
            return new ModelBundle(null, files);
        }

        using var reader = new StreamReader(list(), Encoding.UTF8);
        return new ModelBundle(reader.ReadToEnd(), files);
    }

    /// <summary>Writes the files, or finds them written.</summary>
    public ModelFolders Extract(string cacheFolder)
    {
        ArgumentException.ThrowIfNullOrEmpty(cacheFolder);
        if (!HasModels)
        {
            throw new BadInputException("This build of Farm carries no trained pocket models.");
        }

        var expected = Parse(checksums!);
        string target = Path.Combine(Path.GetFullPath(cacheFolder), "pocket-" + Hex(SHA256.HashData(Encoding.UTF8.GetBytes(checksums!)))[..16]);
        try
        {
            if (!IsComplete(target, expected))
            {
                Write(target, expected);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException && e is not InvalidDataException)
        {
            throw new BadInputException($"The pocket models cannot be written to {target}: {e.Message}", e);
        }

        return new ModelFolders(Path.Combine(target, "policy"), Path.Combine(target, "reward"));
    }

    private void Write(string target, Dictionary<string, string> expected)
    {
        string temporary = $"{target}.{Path.GetRandomFileName()}.tmp";
        try
        {
            foreach (var (name, checksum) in expected)
            {
                string path = Path.Combine(temporary, name);
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                using (var source = files.TryGetValue(name, out var open) ? open() : throw new InvalidDataException($"The embedded file {name} is missing."))
                using (var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write))
                {
                    source.CopyTo(file);
                    file.Flush(flushToDisk: true);
                }

                if (Checksum(path) != checksum)
                {
                    throw new InvalidDataException($"The embedded file {name} does not have its checksum.");
                }
            }

            Replace(temporary, target, expected);
        }
        finally
        {
            if (Directory.Exists(temporary))
            {
                Directory.Delete(temporary, recursive: true);
            }
        }
    }

    private static void Replace(string temporary, string target, Dictionary<string, string> expected)
    {
        if (Directory.Exists(target))
        {
            // Damaged, e.g. by a user's edit: out of the way, then away.
            string damaged = $"{target}.{Path.GetRandomFileName()}.tmp";
            Directory.Move(target, damaged);
            Directory.Delete(damaged, recursive: true);
        }

        try
        {
            Directory.Move(temporary, target);
        }
        catch (IOException) when (IsComplete(target, expected))
        {
            // Another process was first.
        }
    }

    private static bool IsComplete(string folder, Dictionary<string, string> expected) =>
        expected.All(e => File.Exists(Path.Combine(folder, e.Key)) && Checksum(Path.Combine(folder, e.Key)) == e.Value);

    private static Dictionary<string, string> Parse(string list)
    {
        var expected = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string line in list.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] parts = line.Split((char[])[' ', '*'], 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            if (parts.Length != 2 || parts[0].Length != 64 || parts[1].Split('/').Contains("..") || Path.IsPathRooted(parts[1]))
            {
                throw new InvalidDataException($"The list of embedded checksums has the line '{line}'.");
            }

            expected[parts[1]] = parts[0].ToLowerInvariant();
        }

        return expected;
    }

    private static string Checksum(string path)
    {
        using var file = File.OpenRead(path);
        return Hex(SHA256.HashData(file));
    }

    private static string Hex(byte[] hash) => Convert.ToHexStringLower(hash);
}
