using System.Text.Json;
using Farm.Core;

namespace Farm.Models.Configuration;

/// <summary>Typed access to the fields of one JSON object; every error names the file and the field. An absent field and null are the same.</summary>
/// <param name="Element">The object.</param>
/// <param name="File">The file, for messages.</param>
/// <param name="Prefix">Path of the object inside the file, e.g. "rope_scaling.".</param>
internal readonly record struct JsonFields(JsonElement Element, string File, string Prefix = "")
{
    public BadInputException Bad(string field, string what) => new($"{File}: field '{Prefix}{field}' {what}.");

    public JsonElement? Find(string field) =>
        Element.TryGetProperty(field, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public bool Has(string field) => Find(field) is not null;

    public int? Integer(string field, int min, int max) =>
        Find(field) is not { } value ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= min && number <= max ? number
        : throw Bad(field, $"must be a whole number from {min} to {max}, not {Shown(value)}");

    public int RequiredInteger(string field, int min, int max) => Integer(field, min, max) ?? throw Bad(field, "is missing");

    /// <summary>A finite number over 0.</summary>
    public double? Positive(string field) =>
        Find(field) is not { } value ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number) && number > 0 ? number
        : throw Bad(field, $"must be a number over 0, not {Shown(value)}");

    public bool? Boolean(string field) => Find(field) is not { } value ? null : value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Bad(field, $"must be true or false, not {Shown(value)}"),
    };

    public string? Text(string field) =>
        Find(field) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : throw Bad(field, $"must be text, not {Shown(value)}");

    public JsonFields? Object(string field) =>
        Find(field) is not { } value ? null
        : value.ValueKind == JsonValueKind.Object ? new JsonFields(value, File, $"{Prefix}{field}.")
        : throw Bad(field, $"must be an object, not {Shown(value)}");

    /// <summary>The elements of a list of text.</summary>
    public IReadOnlyList<string>? Texts(string field)
    {
        if (Find(field) is not { } value)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(e => e.ValueKind == JsonValueKind.String)
            ? [.. value.EnumerateArray().Select(e => e.GetString()!)]
            : throw Bad(field, $"must be a list of text, not {Shown(value)}");
    }

    /// <summary>Token ids, one or a list; -1 is how some files write "none".</summary>
    public IReadOnlyList<int> TokenIds(string field)
    {
        if (Find(field) is not { } value)
        {
            return [];
        }

        var ids = new List<int>();
        foreach (var item in value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().ToArray() : [value])
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out int id) || id < -1)
            {
                throw Bad(field, $"must be a token id or a list of them, not {Shown(value)}");
            }

            if (id >= 0 && !ids.Contains(id))
            {
                ids.Add(id);
            }
        }

        return ids;
    }

    /// <summary>One token id, or null.</summary>
    public int? TokenId(string field)
    {
        var ids = TokenIds(field);
        return ids.Count switch
        {
            0 => null,
            1 => ids[0],
            _ => throw Bad(field, "must be one token id"),
        };
    }

    private static string Shown(JsonElement value)
    {
        string text = value.GetRawText();
        return text.Length <= 40 ? text : text[..40] + "...";
    }
}
