using System.Text.Json;
using Farm.Annotation.Data;
using Farm.Core;

namespace Farm.Annotation.Metrics;

/// <summary>Reads annotation files of AlpacaEval and AlpacaFarm, old names of columns and new.</summary>
public static class AnnotationFile
{
    /// <summary>Reads the rows.</summary>
    /// <exception cref="BadInputException">The file cannot be read, or a row's preference is missing or is no preference; the message names file, row and field.</exception>
    public static IReadOnlyList<ScoredPair> Read(string path)
    {
        var rows = RowFile.ReadSome(path, bareWords: true);
        return [.. rows.Select((row, i) => Parse($"{path}, row {i + 1}", i, row))];
    }

    /// <summary>Reads one row.</summary>
    /// <exception cref="BadInputException">A field is not what it should be.</exception>
    public static ScoredPair Parse(string place, int position, JsonRow row) => new()
    {
        Place = place,
        Position = position,
        Preference = PreferenceOf(place, row),
        Instruction = RowFields.Text(place, row, "instruction"),
        Input = RowFields.Text(place, row, "input"),
        Output1 = RowFields.Text(place, row, "output_1"),
        Output2 = RowFields.Text(place, row, "output_2"),
        Generator1 = RowFields.Text(place, row, "generator_1"),
        Generator2 = RowFields.Text(place, row, "generator_2") ?? RowFields.Text(place, row, "generator"),
        Annotator = RowFields.Text(place, row, "annotator"),
        Datasplit = RowFields.Text(place, row, "datasplit"),
        Index = IndexOf(row),
        // A file may carry another annotator's cost along under the old names, so the judge's own come first.
        Price = RowFields.Number(place, row, "preference_price_per_example") ?? RowFields.Number(place, row, "price_per_example"),
        Seconds = RowFields.Number(place, row, "preference_time_per_example") ?? RowFields.Number(place, row, "time_per_example"),
        Row = row,
    };

    private static double? PreferenceOf(string place, JsonRow row)
    {
        const string Field = "preference";
        if (!row.TryGet(Field, out var value))
        {
            throw new BadInputException($"{place}: the field '{Field}' is missing.");
        }

        if (value.ValueKind == JsonValueKind.Null || (value.ValueKind == JsonValueKind.String && value.ValueEquals("")))
        {
            return null;
        }

        if (BareWords.NotANumber(value) is { } word)
        {
            throw new BadInputException($"{place}, field '{Field}': is {word}; a pair without an annotation has null.");
        }

        if (row.Number(Field) is not { } preference)
        {
            throw new BadInputException($"{place}, field '{Field}': must be a number from 1 to 2, or null, not {RowFields.Name(value)}.");
        }

        if (double.IsNaN(preference))
        {
            throw new BadInputException($"{place}, field '{Field}': is NaN; a pair without an annotation has null.");
        }

        return preference == Preference.StoredMissing ? null
            : Preference.Normalize(preference)
            ?? throw new BadInputException($"{place}, field '{Field}': must be from 1 (output_1 is better) to 2 (output_2 is better), not {value}.");
    }

    // In files that have nothing to do with votes the column may hold anything; only whole numbers name a vote.
    private static int? IndexOf(JsonRow row) =>
        row.TryGet("index", out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int index) && index >= 0 ? index : null;
}
