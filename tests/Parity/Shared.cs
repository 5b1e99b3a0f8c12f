namespace Parity;

/// <summary>
/// The folder of fixtures and values from other tools: the environment variable FARM_SHARED, or else a folder named shared beside the
/// repository's root.
/// </summary>
internal static class Shared
{
    private static readonly Lazy<string> Root = new(Find);

    /// <summary>A path in the folder. A missing folder fails the test that asks.</summary>
    public static string Path(params string[] parts) => System.IO.Path.Combine([Root.Value, .. parts]);

    private static string Find()
    {
        string? stated = Environment.GetEnvironmentVariable("FARM_SHARED");
        if (!string.IsNullOrEmpty(stated))
        {
            return Directory.Exists(stated) ? stated : throw new DirectoryNotFoundException($"FARM_SHARED names {stated}, which does not exist.");
        }

        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string candidate = System.IO.Path.Combine(folder.FullName, "..", "shared");
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "Farm.sln")) && Directory.Exists(candidate))
            {
                return System.IO.Path.GetFullPath(candidate);
            }
        }

        throw new DirectoryNotFoundException("These tests need the folder shared beside the repository, or its path in FARM_SHARED.");
    }
}
