using System.Text;
using System.Text.Json;
using Farm.Core;

namespace Farm.Training.Metrics;

/// <summary>metrics.jsonl: one object per line, with <c>step</c> first. Values that are not finite are null.</summary>
/// <param name="path">The file.</param>
public sealed class JsonLinesSink(string path) : IMetricSink
{
    private StreamWriter? _writer;

    /// <inheritdoc/>
    public void Begin(int stepsDone)
    {
        // Lines past the point that a resumed run goes on from will be written again.
        string[] kept = stepsDone == 0 || !File.Exists(path) ? [] : [.. Read(path).Where(l => l.Step <= stepsDone).Select(Format)];
        Guard(() =>
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            _writer = new StreamWriter(path, append: false, new UTF8Encoding(false)) { NewLine = "\n" };
            foreach (string line in kept)
            {
                _writer.WriteLine(line);
            }

            _writer.Flush();
        });
    }

    /// <inheritdoc/>
    public void Write(MetricLine line) => Guard(() =>
    {
        _writer!.WriteLine(Format(line));
        _writer.Flush();
    });

    /// <inheritdoc/>
    public void Dispose() => _writer?.Dispose();

    /// <summary>Reads a file of metrics; a last line that was cut off is left out.</summary>
    public static IReadOnlyList<MetricLine> Read(string path)
    {
        var lines = new List<MetricLine>();
        foreach (string text in File.ReadLines(path))
        {
            try
            {
                using var document = JsonDocument.Parse(text);
                lines.Add(new MetricLine(
                    document.RootElement.GetProperty("step").GetInt32(),
                    [.. document.RootElement.EnumerateObject().Where(p => p.Name != "step").Select(p => (p.Name, p.Value.ValueKind == JsonValueKind.Number ? p.Value.GetDouble() : double.NaN))]));
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
            {
                break;
            }
        }

        return lines;
    }

    private static string Format(MetricLine line)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteNumber("step", line.Step);
            foreach (var (name, value) in line.Values)
            {
                if (double.IsFinite(value))
                {
                    json.WriteNumber(name, value);
                }
                else
                {
                    json.WriteNull(name);
                }
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private void Guard(Action work)
    {
        try
        {
            work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{path} cannot be written: {e.Message}", e);
        }
    }
}
