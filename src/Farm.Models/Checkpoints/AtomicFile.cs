using Farm.Core;

namespace Farm.Models.Checkpoints;

/// <summary>Writes a file beside its place and renames it there when it is complete, so that a reader never sees a part of it.</summary>
internal static class AtomicFile
{
    /// <summary>
    /// Writes <paramref name="path"/>, whose folder is created if need be. <paramref name="length"/> bytes are reserved first (0 if unknown), so
    /// that a full disk is found before the work.
    /// </summary>
    /// <exception cref="BadInputException">The file cannot be written; what was written is removed.</exception>
    public static void Write(string path, long length, Action<FileStream> write)
    {
        string temporary = $"{path}.{Path.GetRandomFileName()}.tmp";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            using (var stream = new FileStream(temporary, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                PreallocationSize = length,
                BufferSize = 0,
            }))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Remove(temporary);
            throw new BadInputException($"{path}: the file cannot be written: {e.Message}", e);
        }
        catch
        {
            Remove(temporary);
            throw;
        }
    }

    private static void Remove(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The error that led here is the one to report.
        }
    }
}
