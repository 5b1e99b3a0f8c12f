using System.Text.Json;
using Farm.Core;

namespace Farm.Annotation.Data;

/// <summary>A pair to be judged.</summary>
/// <param name="Instruction">What is asked.</param>
/// <param name="Output1">The first output.</param>
/// <param name="Output2">The second output.</param>
/// <param name="Input">What it is asked of; null or empty where there is nothing.</param>
public sealed record PairRow(string Instruction, string Output1, string Output2, string? Input = null)
{
    /// <summary>The row it came from; its fields are carried along.</summary>
    public JsonRow Fields { get; init; } = new();

    /// <summary>Instruction and input as one text, as AlpacaFarm's annotator shows them.</summary>
    public string MergedInstruction => string.IsNullOrEmpty(Input) ? Instruction : $"{Instruction}\n\n{Input}";

    /// <summary>A preference that the row already has.</summary>
    public double? Preference { get; init; }

    /// <summary>The pairs of a file.</summary>
    /// <exception cref="BadInputException">The file cannot be read, a row lacks a field or has one that cannot be, or an id comes twice.</exception>
    public static List<PairRow> Read(string path)
    {
        var rows = RowFile.ReadSome(path);
        RowChecks.UniqueIds(path, rows);
        return [.. rows.Select((row, i) => From(row, path, i + 1))];
    }

    /// <summary>One row as a pair.</summary>
    /// <exception cref="BadInputException">It lacks a field, or has one that cannot be.</exception>
    public static PairRow From(JsonRow row, string path, int number)
    {
        string instruction = RowChecks.Text(row, "instruction", path, number);
        return new PairRow(instruction, RowChecks.Text(row, "output_1", path, number), RowChecks.Text(row, "output_2", path, number), RowChecks.OptionalText(row, "input", path, number))
        {
            Fields = row,
            Preference = AnnotationRows.Preference(row, path, number).Value,
        };
    }
}

/// <summary>What rows of files must be.</summary>
internal static class RowChecks
{
    /// <summary>A field that must be a text. A number or a boolean counts as its Python text, as keys do in alpaca_eval.</summary>
    public static string Text(JsonRow row, string field, string path, int number)
    {
        if (!row.TryGet(field, out var value))
        {
            throw new BadInputException($"{path}, row {number}: the field '{field}' is missing.");
        }

        return value.ValueKind switch
        {
            JsonValueKind.String => InputJson.Text($"{path}, row {number}", field, value),
            JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => Python.PythonValue.Text(value),
            JsonValueKind.Null => throw new BadInputException($"{path}, row {number}, field '{field}': is null where a text is meant."),
            _ => throw new BadInputException($"{path}, row {number}, field '{field}': must be a text, not {(value.ValueKind == JsonValueKind.Array ? "a list" : "an object")}."),
        };
    }

    /// <summary>A field that may be missing or null.</summary>
    public static string? OptionalText(JsonRow row, string field, string path, int number) =>
        row.TryGet(field, out var value) && value.ValueKind != JsonValueKind.Null ? Text(row, field, path, number) : null;

    /// <summary>An <c>id</c> names one row.</summary>
    /// <exception cref="BadInputException">It names two.</exception>
    public static void UniqueIds(string path, IReadOnlyList<JsonRow> rows)
    {
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i < rows.Count; i++)
        {
            if (rows[i].TryGet("id", out var id) && id.ValueKind is JsonValueKind.String or JsonValueKind.Number && !seen.TryAdd(id.ToString(), i + 1))
            {
                throw new BadInputException($"{path}, row {i + 1}, field 'id': '{id}' is also the id of row {seen[id.ToString()]}.");
            }
        }
    }
}
