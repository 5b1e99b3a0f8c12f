using System.Text;
using Farm.Core;

namespace Farm.Annotation.Metrics;

/// <summary>Writes whole files, or nothing.</summary>
public static class TextFile
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Writes a text to a temporary file beside <paramref name="path"/> and renames it into place.</summary>
    /// <exception cref="BadInputException">The file cannot be written; what stood there before is untouched.</exception>
    public static void Write(string path, string text) => Write(path, Utf8.GetBytes(text));

    /// <summary>Writes bytes to a temporary file beside <paramref name="path"/> and renames it into place.</summary>
    /// <exception cref="BadInputException">The file cannot be written; what stood there before is untouched.</exception>
    public static void Write(string path, byte[] bytes)
    {
        if (Directory.Exists(path))
        {
            throw new BadInputException($"{path} is a folder, not a file.");
        }

        string temporary = $"{path}.{Environment.ProcessId}.tmp";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
            {
                stream.Write(bytes);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            try
            {
                File.Delete(temporary);
            }
            catch (Exception again) when (again is IOException or UnauthorizedAccessException)
            {
                // What could not be written can perhaps not be removed either; the first failure is the one to tell.
            }

            throw new BadInputException($"{path} cannot be written: {(e is UnauthorizedAccessException ? "permission denied" : e.Message.TrimEnd('.'))}.", e);
        }
    }
}
