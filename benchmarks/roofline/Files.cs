using System.Text.Json;
using Farm.Core;

namespace Farm.Roofline;

/// <summary>The files beside the program: chips, published figures and counts.</summary>
internal static class Files
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow,
        WriteIndented = true,
        IndentSize = 1,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static IReadOnlyList<Chip> Chips(string folder) => Read<List<Chip>>(Path.Combine(folder, "chips.json"));

    public static IReadOnlyList<PublishedFigure> Published(string folder) => Read<List<PublishedFigure>>(Path.Combine(folder, "published.json"));

    public static IReadOnlyList<PassCount> Counts(string file) => Read<CountFile>(file).Passes;

    public static void SaveCounts(string file, IReadOnlyList<PassCount> passes)
    {
        string text = JsonSerializer.Serialize(new CountFile(CountFile.Text, CountingBackend.Multiprocessors, passes), Options);
        string temporary = file + ".new";
        File.WriteAllText(temporary, text + "\n");
        File.Move(temporary, file, overwrite: true);
    }

    private static T Read<T>(string file)
    {
        try
        {
            using var stream = File.OpenRead(file);
            return JsonSerializer.Deserialize<T>(stream, Options) ?? throw new BadInputException($"{file} is empty.");
        }
        catch (JsonException e)
        {
            throw new BadInputException($"{file} is not what this program wrote: {e.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{file} cannot be read: {e.Message}");
        }
    }

    /// <summary>The counts with what they are.</summary>
    private sealed record CountFile(string Note, int Multiprocessors, IReadOnlyList<PassCount> Passes)
    {
        public const string Text = "Counters of Farm's kernels on the driver simulator; per launch of each kernel. Counted, never timed.";
    }
}
