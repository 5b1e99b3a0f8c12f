using System.Text.Json;
using Farm.Core;

namespace Farm.Annotation.Data;

/// <summary>AlpacaEval's annotation and cache rows as <see cref="PairJudgment"/> and back.</summary>
public static class AnnotationRows
{
    /// <summary>Reads the judgments of a file; their <see cref="PairJudgment.Extras"/> are the rows themselves.</summary>
    /// <exception cref="BadInputException">A row lacks a text, or its preference is none.</exception>
    public static IReadOnlyList<PairJudgment> Read(string path) => [.. RowFile.Read(path).Select((row, i) => From(row, path, i + 1))];

    /// <summary>One row as a judgment.</summary>
    /// <param name="row">The row.</param>
    /// <param name="path">The file, for messages.</param>
    /// <param name="number">The row's number from 1, for messages.</param>
    /// <exception cref="BadInputException">It lacks a text, or its preference is none.</exception>
    public static PairJudgment From(JsonRow row, string path, int number)
    {
        ArgumentNullException.ThrowIfNull(row);
        string instruction = Required(row, "instruction", path, number);
        string output1 = Required(row, "output_1", path, number), output2 = Required(row, "output_2", path, number);
        bool prefixed = row.Contains("preference_raw_completion") || row.Contains("preference_price_per_example") || !row.Contains("raw_completion");
        string prefix = prefixed ? "preference_" : string.Empty;
        var (preference, text, missing, zero) = Preference(row, path, number);
        return new PairJudgment(instruction, output1, output2, new AnnotatorRef(row.Text("annotator") ?? string.Empty), preference)
        {
            Input = row.Text("input"),
            PreferenceText = text,
            StoredMissing = missing,
            LegacyZero = zero,
            Status = preference is null ? JudgmentStatus.Unparsed : JudgmentStatus.Ok,
            RawCompletion = row.TryGet(prefix + "raw_completion", out var raw) && raw.ValueKind != JsonValueKind.Null ? raw : null,
            Price = row.Number(prefix + "price_per_example") ?? row.Number("price_per_example"),
            Seconds = row.Number(prefix + "time_per_example") ?? row.Number("time_per_example"),
            PrefixedColumns = prefixed,
            Extras = row,
        };
    }

    /// <summary>The row of a judgment: its own where it came from a file and still says the same, else one with the changes.</summary>
    public static JsonRow ToRow(PairJudgment judgment)
    {
        ArgumentNullException.ThrowIfNull(judgment);
        var row = judgment.Extras.Copy();
        SetText(row, "instruction", judgment.Instruction);
        if (judgment.Input is { } input)
        {
            SetText(row, "input", input);
        }

        SetText(row, "output_1", judgment.Output1);
        SetText(row, "output_2", judgment.Output2);
        if (judgment.Annotator.Name.Length > 0)
        {
            SetText(row, "annotator", judgment.Annotator.Name);
        }

        if (!row.Contains("preference") || Preference(row, string.Empty, 0).Value != judgment.Preference)
        {
            row["preference"] = PreferenceValue(judgment.Preference);
        }

        string prefix = judgment.PrefixedColumns ? "preference_" : string.Empty;
        if (judgment.RawCompletion is { } raw && !row.Contains(prefix + "raw_completion"))
        {
            row[prefix + "raw_completion"] = raw;
        }

        return row;
    }

    /// <summary>A preference as pandas writes it: rounded to ten decimals, with at least one.</summary>
    public static JsonElement PreferenceValue(double? preference)
    {
        using var document = JsonDocument.Parse(preference is { } p ? PandasJson.Number(p) : "null");
        return document.RootElement.Clone();
    }

    /// <summary>Reads the field <c>preference</c>: 0 becomes 1.5, -1 and null become null.</summary>
    /// <exception cref="BadInputException">It is neither a preference nor a way of saying that there is none.</exception>
    public static (double? Value, string? Text, bool StoredMissing, bool LegacyZero) Preference(JsonRow row, string path, int number)
    {
        ArgumentNullException.ThrowIfNull(row);
        if (!row.TryGet("preference", out var field) || field.ValueKind == JsonValueKind.Null)
        {
            return (null, null, false, false);
        }

        string text = field.ValueKind == JsonValueKind.String ? field.GetString()! : field.GetRawText();
        if (field.ValueKind == JsonValueKind.String && text.Length == 0)
        {
            return (null, text, false, false);
        }

        return row.Number("preference") switch
        {
            0 => (1.5, text, false, true),
            -1 => (null, text, true, false),
            >= 1 and <= 2 and var value => (value, text, false, false),
            double.NaN => throw new BadInputException($"{path}, row {number}, field 'preference': is NaN; a missing preference is written null."),
            _ => throw new BadInputException($"{path}, row {number}, field 'preference': must be a number from 1 to 2 (0 for an old draw), not {text}."),
        };
    }

    private static void SetText(JsonRow row, string name, string value)
    {
        if (row.Text(name) != value)
        {
            row.Set(name, value);
        }
    }

    private static string Required(JsonRow row, string field, string path, int number)
    {
        if (!row.TryGet(field, out var value))
        {
            throw new BadInputException($"{path}, row {number}: the field '{field}' is missing.");
        }

        return value.ValueKind == JsonValueKind.String
            ? InputJson.Text($"{path}, row {number}", field, value)
            : throw new BadInputException($"{path}, row {number}, field '{field}': must be a text.");
    }
}
