using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Cli.Output;
using Farm.Core;

namespace Farm.Cli.Simulation;

/// <summary>The stages of a simulation on disk: each leaves a stamp with what it found and the time it took when it is whole, and a resumed run takes it over.</summary>
internal sealed class SimulationStages
{
    private readonly string _folder;
    private readonly string _settings;

    /// <summary>Opens the folder.</summary>
    /// <exception cref="BadInputException">It holds another run, or one that is not to be gone on with.</exception>
    public SimulationStages(string output, string settings, bool resume)
    {
        _folder = Path.Combine(output, "stages");
        _settings = settings;
        string path = Path.Combine(_folder, "settings.json");
        if (File.Exists(path))
        {
            if (!resume)
            {
                throw new BadInputException($"{output} holds a simulation already: go on with --resume, or name another folder.");
            }

            if (File.ReadAllText(path) != settings)
            {
                throw new BadInputException($"{output}: the simulation was begun with other settings: {Differences(File.ReadAllText(path), settings)}.");
            }
        }

        try
        {
            Directory.CreateDirectory(_folder);
            File.WriteAllText(path, settings);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{output} cannot be written: {e.Message}", e);
        }
    }

    /// <summary>Seconds of each stage, in the order in which they were asked for.</summary>
    public List<(string Stage, double Seconds)> Times { get; } = [];

    /// <summary>Runs a stage, or takes over what it found before.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="work">Does the work and gives its findings.</param>
    public JsonObject Run(string name, Func<JsonObject> work)
    {
        string path = Path.Combine(_folder, name + ".json");
        if (File.Exists(path))
        {
            var kept = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
            Times.Add((name, (double)kept["seconds"]!));
            return kept["found"]!.AsObject();
        }

        Console.Error.WriteLine($"== {name}");
        long start = Stopwatch.GetTimestamp();
        var found = work();
        double seconds = Math.Round(Stopwatch.GetElapsedTime(start).TotalSeconds, 2);
        byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(new JsonObject { ["seconds"] = seconds, ["found"] = found.DeepClone() });
        WholeFile.Write(path, bytes);
        Times.Add((name, seconds));
        Console.Error.WriteLine(FormattableString.Invariant($"== {name}: {seconds:F1} s"));
        return found;
    }

    private static string Differences(string before, string now)
    {
        try
        {
            JsonObject old = JsonNode.Parse(before)!.AsObject(), current = JsonNode.Parse(now)!.AsObject();
            return string.Join("; ", current.Select(p => (p.Key, Was: old[p.Key]?.ToJsonString() ?? "absent", Now: p.Value?.ToJsonString() ?? "null")).Where(d => d.Was != d.Now)
                .Select(d => $"{d.Key} was {d.Was} and is now {d.Now}"));
        }
        catch (JsonException)
        {
            return "they cannot be read";
        }
    }
}
