namespace Farm.Core;

/// <summary>Reads files that a user names, so that what is wrong with one is told in one sentence.</summary>
public static class InputFile
{
    /// <summary>Runs what reads the file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="read">Opens and reads it.</param>
    /// <exception cref="BadInputException">The file is missing, a folder, or cannot be read.</exception>
    public static T Read<T>(string path, Func<T> read)
    {
        ArgumentNullException.ThrowIfNull(read);
        try
        {
            return read();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BadInputException($"{path} does not exist.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new BadInputException(Directory.Exists(path) ? $"{path} is a folder, not a file." : $"{path} cannot be read: permission denied.", e);
        }
        catch (IOException e)
        {
            throw new BadInputException($"{path} cannot be read: {e.Message}", e);
        }
    }
}
