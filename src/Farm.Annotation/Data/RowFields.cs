using System.Text.Json;
using Farm.Core;

namespace Farm.Annotation.Data;

/// <summary>Fields of rows, with messages that name file, row and field.</summary>
public static class RowFields
{
    /// <summary>A field's text, null where it is missing, null or a bare NaN.</summary>
    /// <exception cref="BadInputException">It is something other than a text.</exception>
    public static string? Text(string place, JsonRow row, string field)
    {
        ArgumentNullException.ThrowIfNull(row);
        return !row.TryGet(field, out var value) || value.ValueKind == JsonValueKind.Null || BareWords.NotANumber(value) is not null ? null : InputJson.Text(place, field, value);
    }

    /// <summary>A field's text.</summary>
    /// <exception cref="BadInputException">It is missing, null, or something other than a text.</exception>
    public static string Required(string place, JsonRow row, string field) =>
        Text(place, row, field) ?? throw new BadInputException($"{place}: the field '{field}' is missing.");

    /// <summary>A field's number, which may be in a string as in CSV; null where it is missing, null, empty, or NaN.</summary>
    /// <exception cref="BadInputException">It is something other than a number.</exception>
    public static double? Number(string place, JsonRow row, string field)
    {
        ArgumentNullException.ThrowIfNull(row);
        return !row.TryGet(field, out var value) || value.ValueKind == JsonValueKind.Null || BareWords.NotANumber(value) is not null
            || (value.ValueKind == JsonValueKind.String && value.ValueEquals("")) ? null
            : row.Number(field) is { } number ? (double.IsNaN(number) ? null : number)
            : throw new BadInputException($"{place}, field '{field}': must be a number, not {Name(value)}.");
    }

    /// <summary>What a value is, for messages.</summary>
    public static string Name(JsonElement value) => BareWords.NotANumber(value) ?? InputJson.Name(value);
}
