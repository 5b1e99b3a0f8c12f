using System.Globalization;
using System.Text.Json;

namespace Farm.Annotation.Metrics;

/// <summary>
/// A model's line of a leaderboard: its name, and cells in order. A cell is kept as the text that stands in the file, so that what is not touched
/// comes out as it went in; an empty text is a missing value.
/// </summary>
public sealed class LeaderboardRow(string name)
{
    private readonly OrderedDictionary<string, string> _cells = new(StringComparer.Ordinal);

    /// <summary>The model's name.</summary>
    public string Name { get; } = name;

    /// <summary>Names of the columns and their texts.</summary>
    public IReadOnlyDictionary<string, string> Cells => _cells;

    /// <summary>Sets a text.</summary>
    public void Set(string column, string? text) => _cells[column] = text ?? "";

    /// <summary>Sets a whole number.</summary>
    public void Set(string column, long value) => _cells[column] = value.ToString(CultureInfo.InvariantCulture);

    /// <summary>Sets a float, written as Python does; NaN is a missing value.</summary>
    public void Set(string column, double value) => _cells[column] = double.IsNaN(value) ? "" : PythonFloat.Format(value);

    /// <summary>The number in a column, null where it is missing or no number.</summary>
    public double? Number(string column) =>
        _cells.TryGetValue(column, out string? text) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && !double.IsNaN(value)
            ? value
            : null;

    /// <summary>Writes the row as one JSON object: <c>name</c>, then the columns, numbers as numbers and missing values as null.</summary>
    public void WriteTo(Utf8JsonWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStartObject();
        writer.WriteString("name", Name);
        foreach (var (column, text) in _cells)
        {
            if (text.Length == 0)
            {
                writer.WriteNull(column);
            }
            else if (Number(column) is { } value && double.IsFinite(value))
            {
                writer.WritePropertyName(column);
                writer.WriteRawValue(IsJsonNumber(text) ? text : PythonFloat.Format(value));
            }
            else
            {
                writer.WriteString(column, text);
            }
        }

        writer.WriteEndObject();
    }

    private static bool IsJsonNumber(string text)
    {
        try
        {
            return JsonElement.Parse(text).ValueKind == JsonValueKind.Number;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
