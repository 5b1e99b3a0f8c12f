using System.Text;
using System.Text.Json;
using Farm.Core;

namespace Farm.Annotation.Data;

/// <summary>Reads rows of any of the tools: a JSON array of objects, JSON Lines, CSV or TSV with a header.</summary>
public static class RowFile
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads all rows.</summary>
    /// <exception cref="BadInputException">The file is missing, not UTF-8, or not what its name says.</exception>
    public static List<JsonRow> Read(string path)
    {
        string text = ReadText(path);
        string extension = Path.GetExtension(path).ToUpperInvariant();
        return extension switch
        {
            ".CSV" => Csv(path, text, ','),
            ".TSV" => Csv(path, text, '\t'),
            ".JSONL" => JsonLines(path, text),
            _ => text.AsSpan().TrimStart().StartsWith("{") && !IsOneObject(text) ? JsonLines(path, text) : JsonArray(path, text),
        };
    }

    /// <summary>The text of a file that must be UTF-8.</summary>
    /// <exception cref="BadInputException">It is missing, a folder, or in another encoding.</exception>
    public static string ReadText(string path)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
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

        if (bytes.AsSpan().StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) || bytes.AsSpan().StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]))
        {
            throw new BadInputException($"{path} is in UTF-16, not in UTF-8: save it as UTF-8.");
        }

        try
        {
            ReadOnlySpan<byte> body = bytes.AsSpan().StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]) ? bytes.AsSpan(3) : bytes;
            return StrictUtf8.GetString(body);
        }
        catch (DecoderFallbackException e)
        {
            int line = 1 + bytes.AsSpan(0, Math.Clamp(e.Index, 0, bytes.Length)).Count((byte)'\n');
            throw new BadInputException($"{path}, line {line}: is not UTF-8 (Latin-1, Windows-1252 or another encoding?): save it as UTF-8.", e);
        }
    }

    private static bool IsOneObject(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static List<JsonRow> JsonArray(string path, string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            var root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Object)
            {
                return [JsonRow.From(root)];
            }

            if (root.ValueKind != JsonValueKind.Array)
            {
                throw new BadInputException($"{path} must hold a JSON array of objects.");
            }

            return [.. root.EnumerateArray().Select((row, i) => Row(path, row, $"row {i + 1}"))];
        }
        catch (JsonException e)
        {
            throw new BadInputException($"{path} is not JSON: line {(e.LineNumber ?? 0) + 1}, column {(e.BytePositionInLine ?? 0) + 1}.", e);
        }
    }

    private static List<JsonRow> JsonLines(string path, string text)
    {
        var rows = new List<JsonRow>();
        int number = 0;
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            number++;
            if (line.IsWhiteSpace())
            {
                continue;
            }

            try
            {
                using var document = JsonDocument.Parse(line.ToString());
                rows.Add(Row(path, document.RootElement, $"line {number}"));
            }
            catch (JsonException e)
            {
                throw new BadInputException($"{path} is not JSON: line {number}, column {(e.BytePositionInLine ?? 0) + 1}.", e);
            }
        }

        return rows;
    }

    private static JsonRow Row(string path, JsonElement element, string place) =>
        element.ValueKind == JsonValueKind.Object ? JsonRow.From(element) : throw new BadInputException($"{path}, {place}: must be an object.");

    private static List<JsonRow> Csv(string path, string text, char delimiter)
    {
        var records = Data.Csv.Parse(path, text, delimiter);
        if (records.Count == 0)
        {
            throw new BadInputException($"{path} has no header row.");
        }

        string[] header = records[0].Fields;
        if (!header.Contains("instruction") && !header.Contains("preference"))
        {
            throw new BadInputException($"{path} has no header row with the column 'instruction': its first row begins with '{Shorten(header[0])}'.");
        }

        var rows = new List<JsonRow>(records.Count - 1);
        foreach (var record in records.Skip(1))
        {
            if (record.Fields.Length != header.Length)
            {
                throw new BadInputException($"{path}, row {rows.Count + 1}: has {record.Fields.Length} cells where the header has {header.Length}.");
            }

            var row = new JsonRow();
            for (int i = 0; i < header.Length; i++)
            {
                row.Set(header[i], record.Fields[i]);
            }

            rows.Add(row);
        }

        return rows;
    }

    private static string Shorten(string text) => text.Length > 40 ? text[..40] + "..." : text;
}
