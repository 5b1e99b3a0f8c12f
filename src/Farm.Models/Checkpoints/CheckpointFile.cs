using Farm.Core;
using Microsoft.Win32.SafeHandles;

namespace Farm.Models.Checkpoints;

/// <summary>
/// An open file of weights, read at offsets from any thread. Reads are positioned reads, not a mapping: pages of a mapping count as
/// resident until they are unmapped, which would double the peak while a model is packed, and a file that shrinks under a mapping kills the
/// process with SIGBUS where a positioned read comes back short and becomes a message.
/// </summary>
internal sealed class CheckpointFile : IDisposable
{
    private readonly SafeFileHandle _handle;

    private CheckpointFile(string path, SafeFileHandle handle)
    {
        Path = path;
        _handle = handle;
        Length = RandomAccess.GetLength(handle);
    }

    /// <summary>Path as the caller gave it.</summary>
    public string Path { get; }

    /// <summary>Length in bytes when it was opened.</summary>
    public long Length { get; }

    /// <exception cref="BadInputException">There is no such file, or it cannot be read.</exception>
    public static CheckpointFile Open(string path)
    {
        SafeFileHandle? handle = null;
        try
        {
            handle = System.IO.File.OpenHandle(path, share: FileShare.Read | FileShare.Delete);
            return new CheckpointFile(path, handle);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BadInputException($"{path}: the file does not exist.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            handle?.Dispose();
            throw new BadInputException($"{path}: the file cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Fills <paramref name="destination"/> from <paramref name="offset"/> bytes into the file.</summary>
    /// <exception cref="BadInputException">The file ends before that, or the disk fails.</exception>
    public void Read(long offset, Span<byte> destination)
    {
        try
        {
            while (!destination.IsEmpty)
            {
                int read = RandomAccess.Read(_handle, destination, offset);
                if (read == 0)
                {
                    throw Bad($"the file ends at byte {offset}, inside its data; it is truncated");
                }

                destination = destination[read..];
                offset += read;
            }
        }
        catch (IOException e)
        {
            throw new BadInputException($"{Path}: the file cannot be read: {e.Message}", e);
        }
    }

    /// <summary>An error about this file, as one sentence.</summary>
    public BadInputException Bad(string what) => new($"{Path}: {what}.");

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();
}
