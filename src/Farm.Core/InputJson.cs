using System.Text.Json;

namespace Farm.Core;

/// <summary>Values of JSON files that a user names.</summary>
public static class InputJson
{
    /// <summary>A text.</summary>
    /// <param name="place">File and row, for messages.</param>
    /// <param name="field">The field, for messages.</param>
    /// <param name="value">Its value.</param>
    /// <exception cref="BadInputException">It is something else, or holds half a surrogate pair.</exception>
    public static string Text(string place, string field, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            throw new BadInputException($"{place}, field '{field}': must be a string, not {Name(value)}.");
        }

        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new BadInputException($"{place}, field '{field}': is not valid Unicode text.", e);
        }
    }

    /// <summary>What a value is, for messages.</summary>
    public static string Name(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "true or false",
    };
}
