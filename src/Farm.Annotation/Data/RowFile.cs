using System.Text;
using System.Text.Json;
using Farm.Core;

namespace Farm.Annotation.Data;

/// <summary>Reads rows of any of the tools: a JSON array of objects, JSON Lines, CSV or TSV with a header.</summary>
public static class RowFile
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads all rows.</summary>
    /// <param name="path">The file.</param>
    /// <param name="bareWords">Whether a JSON file may hold Python's NaN and Infinity, which <see cref="RowFields"/> takes for missing.</param>
    /// <exception cref="BadInputException">The file is missing, not UTF-8, or not what its name says.</exception>
    public static List<JsonRow> Read(string path, bool bareWords = false)
    {
        string text = ReadText(path), extension = Path.GetExtension(path).ToUpperInvariant();
        if (extension is ".CSV" or ".TSV")
        {
            return Csv(path, text, extension == ".CSV" ? ',' : '\t');
        }

        string? marked = bareWords ? BareWords.Mark(text) : null;
        var json = new JsonSource(path, marked ?? text, marked is null);
        return extension == ".JSONL" || (text.AsSpan().TrimStart().StartsWith("{") && !json.IsOneValue) ? json.Lines() : json.Array();
    }

    /// <summary>Reads all rows of a file that must have some.</summary>
    /// <param name="path">The file.</param>
    /// <param name="bareWords">As for <see cref="Read"/>.</param>
    /// <exception cref="BadInputException">The file is missing, not UTF-8, not what its name says, or has no rows.</exception>
    public static List<JsonRow> ReadSome(string path, bool bareWords = false) =>
        Read(path, bareWords) is { Count: > 0 } rows ? rows : throw new BadInputException($"{path} has no rows.");

    /// <summary>The text of a file that must be UTF-8.</summary>
    /// <exception cref="BadInputException">It is missing, a folder, or in another encoding.</exception>
    public static string ReadText(string path)
    {
        byte[] bytes = InputFile.Read(path, () => File.ReadAllBytes(path));
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

    /// <summary>Text that holds JSON.</summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="text">The text.</param>
    /// <param name="isTheFiles">False where bare words in it were marked, so that its columns are not the file's.</param>
    private sealed class JsonSource(string path, string text, bool isTheFiles)
    {
        public bool IsOneValue
        {
            get
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
        }

        public List<JsonRow> Array()
        {
            using var document = Parse(text.AsMemory(), 0);
            var root = document.RootElement;
            return root.ValueKind switch
            {
                JsonValueKind.Object => [JsonRow.From(root)],
                JsonValueKind.Array => [.. root.EnumerateArray().Select((row, i) => Row(row, $"row {i + 1}"))],
                _ => throw new BadInputException($"{path} must hold a JSON array of objects, or one object per line."),
            };
        }

        public List<JsonRow> Lines()
        {
            var rows = new List<JsonRow>();
            int before = 0;
            // Only this ends a line: a text may hold the other separators of Unicode as they are.
            foreach (var range in text.AsSpan().Split('\n'))
            {
                if (!text.AsSpan(range).IsWhiteSpace())
                {
                    using var document = Parse(text.AsMemory(range), before);
                    rows.Add(Row(document.RootElement, $"line {before + 1}"));
                }

                before++;
            }

            return rows;
        }

        private JsonDocument Parse(ReadOnlyMemory<char> json, int linesBefore)
        {
            try
            {
                return JsonDocument.Parse(json);
            }
            catch (JsonException e)
            {
                string column = isTheFiles ? $", column {(e.BytePositionInLine ?? 0) + 1}" : string.Empty;
                throw new BadInputException($"{path} is not JSON: line {(e.LineNumber ?? 0) + 1 + linesBefore}{column}.", e);
            }
        }

        private JsonRow Row(JsonElement element, string place) =>
            element.ValueKind == JsonValueKind.Object ? JsonRow.From(element) : throw new BadInputException($"{path}, {place}: must be an object, not {RowFields.Name(element)}.");
    }
}
