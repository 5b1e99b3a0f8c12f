using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Core;

namespace Farm.Annotation.UltraFeedback;

/// <summary>Texts of JSON objects.</summary>
internal static class JsonText
{
    /// <summary>A text, null where it is missing or null.</summary>
    /// <exception cref="BadInputException">It is something else.</exception>
    public static string? Optional(string place, JsonObject row, string field)
    {
        try
        {
            return row[field] switch
            {
                null => null,
                JsonValue v when v.GetValueKind() == JsonValueKind.String => v.GetValue<string>(),
                _ => throw new BadInputException($"{place}, field '{field}': must be a string."),
            };
        }
        catch (InvalidOperationException e)
        {
            throw new BadInputException($"{place}, field '{field}': is not valid Unicode text.", e);
        }
    }

    /// <summary>A text.</summary>
    /// <exception cref="BadInputException">It is missing or something else.</exception>
    public static string Required(string place, JsonObject row, string field) =>
        Optional(place, row, field) ?? throw new BadInputException($"{place}: the field '{field}' is missing.");
}
