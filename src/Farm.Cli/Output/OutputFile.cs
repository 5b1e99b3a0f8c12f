using System.Text.Encodings.Web;
using System.Text.Json;
using Farm.Core;

namespace Farm.Cli.Output;

/// <summary>A result file that appears whole or not at all.</summary>
internal static class OutputFile
{
    /// <summary>
    /// How results are written: four spaces as AlpacaFarm does, and letters outside ASCII as UTF-8 (only characters beyond U+FFFF are written
    /// as a pair of \u escapes).
    /// </summary>
    public static readonly JsonWriterOptions Indented = new() { Indented = true, IndentSize = 4, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The same on one line, for journals and standard output.</summary>
    public static readonly JsonWriterOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Finds out before the work whether the path can be written, and makes its folder.</summary>
    /// <exception cref="BadInputException">It cannot.</exception>
    public static void Check(string path)
    {
        if (Directory.Exists(path))
        {
            throw new BadInputException($"--output {path} is a folder, not a file.");
        }

        if (path.EndsWith(Path.DirectorySeparatorChar))
        {
            throw new BadInputException($"--output {path} names a folder, not a file.");
        }

        Guard(path, () =>
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            if (File.Exists(path))
            {
                using var existing = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            }

            string probe = TemporaryPath(path);
            using var created = new FileStream(probe, FileMode.Create, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose);
        });
    }

    /// <summary>Writes an indented array of rows to a temporary file beside <paramref name="path"/> and renames it into place.</summary>
    /// <exception cref="BadInputException">The disk is full or refuses; what stood at the path before is untouched.</exception>
    public static void WriteRows(string path, IEnumerable<JsonElement> rows) => Guard(path, () =>
    {
        string temporary = TemporaryPath(path);
        try
        {
            using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
            {
                using (var writer = new Utf8JsonWriter(stream, Indented))
                {
                    writer.WriteStartArray();
                    foreach (var row in rows)
                    {
                        row.WriteTo(writer);
                        // A writer buffers without bound until it is flushed.
                        writer.Flush();
                    }

                    writer.WriteEndArray();
                }

                stream.Write("\n"u8);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    });

    /// <summary>Runs file work and turns its failures into one sentence that names the file.</summary>
    public static void Guard(string path, Action work)
    {
        try
        {
            work();
        }
        catch (UnauthorizedAccessException e)
        {
            throw new BadInputException($"{path} cannot be written: permission denied.", e);
        }
        catch (IOException e)
        {
            throw new BadInputException($"{path} cannot be written: {Reason(e)}.", e);
        }
        catch (ArgumentOutOfRangeException e) when (e.TargetSite?.DeclaringType == typeof(RandomAccess))
        {
            // What the runtime makes of EFBIG.
            throw new BadInputException($"{path} cannot be written: it would be larger than the system allows.", e);
        }
    }

    private static string TemporaryPath(string path) => path + ".tmp";

    private static string Reason(IOException e)
    {
        const int NoSpace = 28, Quota = 122;
        const int WindowsDiskFull = unchecked((int)0x80070070);
        return e.HResult is NoSpace or Quota or WindowsDiskFull ? "the disk is full" : e.Message.TrimEnd('.');
    }
}
