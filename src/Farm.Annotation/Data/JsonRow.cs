using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace Farm.Annotation.Data;

/// <summary>
/// The fields of one row in the order of its file. Values are kept as they were read, numbers with their text, so that a row which nobody
/// changed is written as it was.
/// </summary>
public sealed class JsonRow : IReadOnlyList<KeyValuePair<string, JsonElement>>
{
    private readonly OrderedDictionary<string, JsonElement> _fields;

    /// <summary>An empty row.</summary>
    public JsonRow()
        : this(new OrderedDictionary<string, JsonElement>(StringComparer.Ordinal))
    {
    }

    private JsonRow(OrderedDictionary<string, JsonElement> fields) => _fields = fields;

    /// <summary>Number of fields.</summary>
    public int Count => _fields.Count;

    /// <summary>The field at a place.</summary>
    public KeyValuePair<string, JsonElement> this[int index] => _fields.GetAt(index);

    /// <summary>A field's value; setting one that is new appends it.</summary>
    public JsonElement this[string name]
    {
        get => _fields[name];
        set => _fields[name] = value;
    }

    /// <summary>The fields of a JSON object; of a name that comes twice the last value stays.</summary>
    public static JsonRow From(JsonElement element)
    {
        var row = new JsonRow();
        foreach (var field in element.EnumerateObject())
        {
            row._fields[field.Name] = field.Value.Clone();
        }

        return row;
    }

    /// <summary>The value of any object as System.Text.Json writes it.</summary>
    public static JsonElement Value<T>(T value) => JsonSerializer.SerializeToElement(value);

    /// <summary>Is there such a field?</summary>
    public bool Contains(string name) => _fields.ContainsKey(name);

    /// <summary>Reads a field if it is there.</summary>
    public bool TryGet(string name, [MaybeNullWhen(false)] out JsonElement value) => _fields.TryGetValue(name, out value);

    /// <summary>The text of a string field; null where it is missing, null or no string.</summary>
    public string? Text(string name) => TryGet(name, out var v) && v.ValueKind == JsonValueKind.String ? v.GetString() : null;

    /// <summary>The value of a number field, which may also be a number in a string; null where it is missing, null or neither.</summary>
    public double? Number(string name)
    {
        if (!TryGet(name, out var v))
        {
            return null;
        }

        return v.ValueKind switch
        {
            JsonValueKind.Number => v.GetDouble(),
            JsonValueKind.String when double.TryParse(v.GetString(), System.Globalization.CultureInfo.InvariantCulture, out double d) => d,
            _ => null,
        };
    }

    /// <summary>Sets a field.</summary>
    public void Set<T>(string name, T value) => _fields[name] = Value(value);

    /// <summary>Takes a field away.</summary>
    public bool Remove(string name) => _fields.Remove(name);

    /// <summary>A row with the same fields.</summary>
    public JsonRow Copy() => new(new OrderedDictionary<string, JsonElement>(_fields, StringComparer.Ordinal));

    /// <summary>Writes the row as a JSON object.</summary>
    public void WriteTo(Utf8JsonWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStartObject();
        foreach (var (name, value) in _fields)
        {
            writer.WritePropertyName(name);
            value.WriteTo(writer);
        }

        writer.WriteEndObject();
    }

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, JsonElement>> GetEnumerator() => _fields.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
