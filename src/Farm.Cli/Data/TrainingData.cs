using System.Globalization;
using System.Text;
using System.Text.Json;
using Farm.Annotation.Data;
using Farm.Core;
using Farm.Models.Prompts;
using Farm.Training.Data;

namespace Farm.Cli.Data;

/// <summary>Reads the rows that training takes, from JSON arrays, JSON Lines, a row scheme, or the formats of Sparse Feedback.</summary>
internal static class TrainingData
{
    /// <summary>Rows with <c>instruction</c>, <c>input</c> and <c>output</c>.</summary>
    /// <exception cref="BadInputException">A row is not what it should be; the message names file, row and field.</exception>
    public static List<SftRow> Sft(string source, int? most) => Rows(source, most, (place, row) =>
        new SftRow(place, Text(place, row, "instruction"), Optional(place, row, "input"), Text(place, row, "output")));

    /// <summary>Rows with <c>output_1</c>, <c>output_2</c> and <c>preference</c> (1 or 2).</summary>
    public static List<PreferenceRow> Preferences(string source, int? most) => Rows(source, most, (place, row) => new PreferenceRow(
        place, Text(place, row, "instruction"), Optional(place, row, "input"), Text(place, row, "output_1"), Text(place, row, "output_2"), Preference(place, row)));

    /// <summary>Rows with <c>output</c> and <c>score</c> (1 to 7), or a CSV file without a header: instruction, input, output, score.</summary>
    public static List<RatingRow> Ratings(string source, int? most)
    {
        if (!source.EndsWith(".csv", StringComparison.OrdinalIgnoreCase))
        {
            return Rows(source, most, (place, row) => new RatingRow(
                place, Text(place, row, "instruction"), Optional(place, row, "input"), Text(place, row, "output"), Number(place, row, "score")));
        }

        var rows = new List<RatingRow>();
        foreach (string[] fields in Csv.Read(source).Select(r => r.Fields))
        {
            string place = $"{source}, row {rows.Count + 1}";
            if (rows.Count == most)
            {
                break;
            }

            if (fields.Length != 4)
            {
                throw new BadInputException($"{place}: must have 4 fields (instruction, input, output, score), not {fields.Length}.");
            }

            // The file's tool writes nan where there is no input.
            string input = fields[1] == "nan" ? string.Empty : fields[1];
            rows.Add(double.TryParse(fields[3], NumberStyles.Float, CultureInfo.InvariantCulture, out double score)
                ? new RatingRow(place, fields[0], input, fields[2], score)
                : throw new BadInputException($"{place}, field 'score': must be a number, not '{fields[3]}'."));
        }

        return rows;
    }

    /// <summary>
    /// Sparse Feedback's reward model file, an object of formatted prompts to <c>{"sentences": [[preferred, other], ...]}</c>; or preference rows, gathered by prompt.
    /// </summary>
    public static List<RankingRow> Rankings(string source, int? most, PromptDictionary prompts)
    {
        if (TryObject(source) is { } document)
        {
            using (document)
            {
                return [.. document.RootElement.EnumerateObject().Take(most ?? int.MaxValue).Select(p => new RankingRow($"{source}, prompt '{Short(p.Name)}'", p.Name, Sentences(source, p)))];
            }
        }

        var rows = new List<RankingRow>();
        foreach (var group in Preferences(source, most).GroupBy(r => prompts.Format(r.Instruction, r.Input)))
        {
            rows.Add(new RankingRow(group.First().Place, group.Key, [.. group.Select(r => r.Preference == 1 ? (r.Output1, r.Output2) : (r.Output2, r.Output1))]));
        }

        return rows;
    }

    private static List<T> Rows<T>(string source, int? most, Func<string, JsonElement, T> parse)
    {
        var elements = RowSchemes.TryRows(source) ?? InstructionFile.ReadElements(source);
        var rows = new List<T>(elements.Count);
        foreach (var element in elements.Take(most ?? int.MaxValue))
        {
            string place = $"{source}, row {rows.Count + 1}";
            rows.Add(element.ValueKind == JsonValueKind.Object ? parse(place, element) : throw new BadInputException($"{place}: must be an object, not {InputJson.Name(element)}."));
        }

        return rows.Count > 0 ? rows : throw new BadInputException($"{source} has no rows.");
    }

    private static string Text(string place, JsonElement row, string field) =>
        Optional(place, row, field) ?? throw new BadInputException($"{place}: the field '{field}' is missing.");

    private static string? Optional(string place, JsonElement row, string field) =>
        !row.TryGetProperty(field, out var value) || value.ValueKind == JsonValueKind.Null ? null : InputJson.Text(place, field, value);

    private static double Number(string place, JsonElement row, string field) =>
        !row.TryGetProperty(field, out var value) ? throw new BadInputException($"{place}: the field '{field}' is missing.")
        : value.ValueKind == JsonValueKind.Number ? value.GetDouble()
        : throw new BadInputException($"{place}, field '{field}': must be a number.");

    private static int Preference(string place, JsonElement row)
    {
        if (!row.TryGetProperty("preference", out var value))
        {
            throw new BadInputException($"{place}: the field 'preference' is missing.");
        }

        return value.ValueKind == JsonValueKind.Number && value.GetDouble() is 1 or 2
            ? (int)value.GetDouble()
            : throw new BadInputException($"{place}, field 'preference': must be 1 or 2, not {Short(value.GetRawText())}.");
    }

    private static List<(string Preferred, string Other)> Sentences(string source, JsonProperty prompt)
    {
        try
        {
            return [.. prompt.Value.GetProperty("sentences").EnumerateArray().Select(pair => pair.GetArrayLength() == 2
                ? (pair[0].GetString()!, pair[1].GetString()!)
                : throw new InvalidOperationException())];
        }
        catch (Exception e) when (e is InvalidOperationException or KeyNotFoundException)
        {
            throw new BadInputException($"{source}, prompt '{Short(prompt.Name)}': must be an object with 'sentences', a list of pairs of strings.", e);
        }
    }

    // Only a file that is one JSON object of objects is of this format; JSON Lines also begin with a brace, and fail to parse as one value or have no 'sentences'.
    private static JsonDocument? TryObject(string source)
    {
        if (!File.Exists(source))
        {
            return null;
        }

        JsonDocument? document = null;
        try
        {
            document = JsonDocument.Parse(File.ReadAllText(source, Encoding.UTF8));
            if (document.RootElement.ValueKind == JsonValueKind.Object && !document.RootElement.TryGetProperty("instruction", out _))
            {
                return document;
            }
        }
        catch (JsonException)
        {
            // The reader of rows says what is wrong with it, or reads it as lines.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{source} cannot be read: {e.Message}", e);
        }

        document?.Dispose();
        return null;
    }

    private static string Short(string text) => text.Length <= 40 ? text : text[..40] + "...";
}
