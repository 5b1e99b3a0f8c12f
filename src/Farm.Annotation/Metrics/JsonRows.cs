using System.Text;
using System.Text.Json;
using Farm.Annotation.Data;
using Farm.Core;

namespace Farm.Annotation.Metrics;

/// <summary>
/// Rows of a JSON file: an array of objects or one object per line. Python writes NaN and Infinity as bare words, which JSON does not know; they
/// are read, as the text that <see cref="NotANumber"/> recognises.
/// </summary>
public static class JsonRows
{
    // A private-use character keeps the marker apart from a text that says NaN.
    private const char Mark = '\uE0A0';
    private static readonly string[] Words = ["NaN", "-Infinity", "Infinity"];

    /// <summary>Reads the rows: a JSON array of objects, one object per line, or CSV or TSV with a header.</summary>
    /// <exception cref="BadInputException">The file cannot be read, is not what its name says, or has no rows.</exception>
    public static IReadOnlyList<JsonRow> Read(string path)
    {
        bool separated = Path.GetExtension(path).ToUpperInvariant() is ".CSV" or ".TSV";
        var rows = !separated && MarkWords(RowFile.ReadText(path)) is { } marked ? ReadMarked(path, marked) : RowFile.Read(path);
        return rows.Count > 0 ? rows : throw new BadInputException($"{path} has no rows.");
    }

    /// <summary>The word (NaN, Infinity, -Infinity) that stood bare in the file, or null where the value is anything else.</summary>
    public static string? NotANumber(JsonElement value) =>
        value.ValueKind == JsonValueKind.String && value.ValueEquals($"{Mark}NaN") ? "NaN"
        : value.ValueKind == JsonValueKind.String && value.ValueEquals($"{Mark}Infinity") ? "Infinity"
        : value.ValueKind == JsonValueKind.String && value.ValueEquals($"{Mark}-Infinity") ? "-Infinity"
        : null;

    /// <summary>A field's text, null where it is missing, null or a bare NaN.</summary>
    /// <exception cref="BadInputException">It is something other than a text.</exception>
    public static string? Text(string place, JsonRow row, string field)
    {
        if (!row.TryGet(field, out var value) || value.ValueKind == JsonValueKind.Null || NotANumber(value) is not null)
        {
            return null;
        }

        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString() : throw new BadInputException($"{place}, field '{field}': must be a string, not {Name(value)}.");
        }
        catch (InvalidOperationException e)
        {
            throw new BadInputException($"{place}, field '{field}': is not valid Unicode text.", e);
        }
    }

    /// <summary>A field's number, which may be in a string as in CSV; null where it is missing, null, empty, or NaN.</summary>
    /// <exception cref="BadInputException">It is something other than a number.</exception>
    public static double? Number(string place, JsonRow row, string field)
    {
        ArgumentNullException.ThrowIfNull(row);
        return !row.TryGet(field, out var value) || value.ValueKind == JsonValueKind.Null || NotANumber(value) is not null
            || (value.ValueKind == JsonValueKind.String && value.ValueEquals("")) ? null
            : row.Number(field) is { } number ? (double.IsNaN(number) ? null : number)
            : throw new BadInputException($"{place}, field '{field}': must be a number, not {Name(value)}.");
    }

    /// <summary>What a value is, for messages.</summary>
    public static string Name(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => NotANumber(value) ?? "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "true or false",
    };

    private static List<JsonRow> ReadMarked(string path, string text)
    {
        bool lines = text.AsSpan().TrimStart() is ['{', ..] && !IsJson(text);
        return lines
            ? [.. text.Split('\n').Select((line, i) => (Line: line, Number: i + 1)).Where(l => !string.IsNullOrWhiteSpace(l.Line)).Select(l => Row(path, Parse(path, l.Line, l.Number - 1), l.Number))]
            : Parse(path, text, 0) is { ValueKind: JsonValueKind.Array } array ? [.. array.EnumerateArray().Select((e, i) => Row(path, e, i + 1))]
            : throw new BadInputException($"{path} must hold a JSON array of objects, or one object per line.");
    }

    private static JsonRow Row(string path, JsonElement element, int number) =>
        element.ValueKind == JsonValueKind.Object ? JsonRow.From(element) : throw new BadInputException($"{path}, row {number}: must be an object, not {Name(element)}.");

    private static bool IsJson(string text)
    {
        try
        {
            JsonElement.Parse(text);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static JsonElement Parse(string path, string text, int linesBefore)
    {
        try
        {
            return JsonElement.Parse(text);
        }
        catch (JsonException e)
        {
            // The column would be the marked text's.
            throw new BadInputException($"{path} is not JSON: line {(e.LineNumber ?? 0) + 1 + linesBefore}.", e);
        }
    }

    /// <summary>The text with each bare NaN or Infinity made a marked string; null where there is none.</summary>
    private static string? MarkWords(string text)
    {
        StringBuilder? result = null;
        int copied = 0;
        bool quoted = false;
        for (int i = 0; i < text.Length; i++)
        {
            if (quoted)
            {
                if (text[i] == '\\')
                {
                    i++;
                }
                else
                {
                    quoted = text[i] != '"';
                }

                continue;
            }

            if (text[i] == '"')
            {
                quoted = true;
                continue;
            }

            foreach (string word in Words)
            {
                if (string.CompareOrdinal(text, i, word, 0, word.Length) == 0)
                {
                    result ??= new StringBuilder(text.Length + 64);
                    result.Append(text, copied, i - copied).Append('"').Append(Mark).Append(word).Append('"');
                    i += word.Length - 1;
                    copied = i + 1;
                    break;
                }
            }
        }

        return result?.Append(text, copied, text.Length - copied).ToString();
    }
}
