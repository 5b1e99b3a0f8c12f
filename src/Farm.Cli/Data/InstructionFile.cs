using System.Text;
using System.Text.Json;
using Farm.Core;

namespace Farm.Cli.Data;

/// <summary>
/// Reads instruction rows from AlpacaFarm's JSON (an array of objects) or from JSON Lines, whichever the file holds. Rows are parsed as the
/// file streams by, so the file may be larger than memory when only its first rows are asked for.
/// </summary>
internal static class InstructionFile
{
    /// <summary>Reads the rows, at most <paramref name="maxInstances"/> of them.</summary>
    /// <param name="path">The file.</param>
    /// <param name="maxInstances">Rows to read, null for all.</param>
    /// <param name="requireOutput">True where every row must have an <c>output</c>.</param>
    /// <exception cref="BadInputException">The file cannot be read, is not JSON, or a row is not what it should be.</exception>
    public static IReadOnlyList<InstructionRow> Read(string path, int? maxInstances = null, bool requireOutput = false)
    {
        return InputFile.Read(path, () =>
        {
            using var stream = Open(path);
            var rows = new List<InstructionRow>();
            foreach (var element in Elements(path, stream))
            {
                if (rows.Count == maxInstances)
                {
                    break;
                }

                rows.Add(Parse(path, rows.Count + 1, element, requireOutput));
            }

            return rows.Count > 0 ? rows : throw new BadInputException($"{path} has no rows.");
        });
    }

    /// <summary>The rows as they are in the file, whatever they hold.</summary>
    /// <exception cref="BadInputException">The file cannot be read or is not JSON.</exception>
    public static IReadOnlyList<JsonElement> ReadElements(string path) => InputFile.Read(path, () =>
    {
        using var stream = Open(path);
        return Elements(path, stream).ToList();
    });

    private static FileStream Open(string path) => new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);

    private static IEnumerable<JsonElement> Elements(string path, FileStream stream)
    {
        bool lines = path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase) || FirstCharacter(stream) == '{';
        return lines ? JsonLines(path, stream) : JsonArray(path, stream);
    }

    /// <summary>The first byte that is neither a byte-order mark nor white space, 0 for none; rewinds.</summary>
    private static char FirstCharacter(FileStream stream)
    {
        int value;
        do
        {
            value = stream.ReadByte();
        }
        while (value is 0xEF or 0xBB or 0xBF or ' ' or '\t' or '\r' or '\n');

        stream.Position = 0;
        return value < 0 ? '\0' : (char)value;
    }

    private static IEnumerable<JsonElement> JsonArray(string path, FileStream stream)
    {
        if (FirstCharacter(stream) != '[')
        {
            RefuseScalar(path, stream);
        }

        using var rows = JsonSerializer.DeserializeAsyncEnumerable<JsonElement>(stream).ToBlockingEnumerable().GetEnumerator();
        while (true)
        {
            try
            {
                if (!rows.MoveNext())
                {
                    yield break;
                }
            }
            catch (JsonException e)
            {
                throw NotJson(path, e, (e.LineNumber ?? 0) + 1);
            }

            yield return rows.Current;
        }
    }

    private static void RefuseScalar(string path, FileStream stream)
    {
        try
        {
            using var document = JsonDocument.Parse(stream);
        }
        catch (JsonException e)
        {
            throw NotJson(path, e, (e.LineNumber ?? 0) + 1);
        }

        throw new BadInputException($"{path} must hold a JSON array of objects, or one object per line.");
    }

    private static IEnumerable<JsonElement> JsonLines(string path, FileStream stream)
    {
        using var reader = new StreamReader(stream, Encoding.UTF8);
        for (int line = 1; reader.ReadLine() is { } text; line++)
        {
            if (string.IsNullOrWhiteSpace(text))
            {
                continue;
            }

            JsonElement element;
            try
            {
                using var document = JsonDocument.Parse(text);
                element = document.RootElement.Clone();
            }
            catch (JsonException e)
            {
                throw NotJson(path, e, line);
            }

            yield return element;
        }
    }

    private static BadInputException NotJson(string path, JsonException e, long line) =>
        new($"{path} is not JSON: line {line}, column {(e.BytePositionInLine ?? 0) + 1}: {Reason(e)}", e);

    /// <summary>The parser's own words without the position that it appends, which counts from 0.</summary>
    private static string Reason(JsonException e)
    {
        int cut = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        string message = cut < 0 ? e.Message : e.Message[..cut];
        cut = message.IndexOf(" Path:", StringComparison.Ordinal);
        return cut < 0 ? message : message[..cut];
    }

    private static InstructionRow Parse(string path, int number, JsonElement row, bool requireOutput)
    {
        if (row.ValueKind != JsonValueKind.Object)
        {
            throw new BadInputException($"{path}, row {number}: must be an object, not {InputJson.Name(row)}.");
        }

        string place = $"{path}, row {number}";
        if (!row.TryGetProperty("instruction", out var instructionField))
        {
            throw new BadInputException($"{place}: the field 'instruction' is missing.");
        }

        string instruction = InputJson.Text(place, "instruction", instructionField);
        if (string.IsNullOrWhiteSpace(instruction))
        {
            throw new BadInputException($"{place}, field 'instruction': is empty.");
        }

        string? input = row.TryGetProperty("input", out var inputField) && inputField.ValueKind != JsonValueKind.Null
            ? InputJson.Text(place, "input", inputField)
            : null;
        if (!requireOutput)
        {
            return new InstructionRow(number, instruction, input, [], false, row);
        }

        if (!row.TryGetProperty("output", out var outputField))
        {
            throw new BadInputException($"{place}: the field 'output' is missing.");
        }

        bool isList = outputField.ValueKind == JsonValueKind.Array;
        string[] outputs = isList
            ? [.. outputField.EnumerateArray().Select((e, i) => InputJson.Text(place, $"output[{i}]", e))]
            : [InputJson.Text(place, "output", outputField)];
        return outputs.Length > 0
            ? new InstructionRow(number, instruction, input, outputs, isList, row)
            : throw new BadInputException($"{place}, field 'output': is an empty list.");
    }
}
