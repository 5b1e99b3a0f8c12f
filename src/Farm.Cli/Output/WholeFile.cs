using Farm.Core;

namespace Farm.Cli.Output;

/// <summary>Files that are there whole or not at all: written beside their place and renamed.</summary>
internal static class WholeFile
{
    /// <summary>Writes a file.</summary>
    /// <exception cref="BadInputException">It cannot be written.</exception>
    public static void Write(string path, byte[] bytes)
    {
        string temporary = path + ".tmp";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            File.WriteAllBytes(temporary, bytes);
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{path} cannot be written: {e.Message}", e);
        }
    }
}
