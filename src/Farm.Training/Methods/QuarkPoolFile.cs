using System.Text.Json;
using Farm.Core;
using Farm.Models.Checkpoints;

namespace Farm.Training.Methods;

/// <summary>The pool of an outer step on disk, beside the step's checkpoint.</summary>
internal static class QuarkPoolFile
{
    /// <summary>Writes the pool as it stands after a step.</summary>
    public static void Write(string folder, int step, IReadOnlyList<QuarkSample> pool) =>
        AtomicFile.Write(PathOf(folder, step), 0, stream => stream.Write(JsonSerializer.SerializeToUtf8Bytes(pool)));

    /// <summary>Reads the pool of a step.</summary>
    /// <exception cref="BadInputException">There is none, or it is damaged.</exception>
    public static List<QuarkSample> Read(string folder, int step)
    {
        string path = PathOf(folder, step);
        try
        {
            return JsonSerializer.Deserialize<List<QuarkSample>>(File.ReadAllBytes(path)) ?? throw new JsonException("null");
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{path} cannot be read: {e.Message}", e);
        }
    }

    private static string PathOf(string folder, int step) => Path.Combine(folder, $"pool-{step}.json");
}
