using System.Globalization;
using System.Text.Json;

namespace Farm.Annotation.Python;

/// <summary>
/// Values as a parser of replies sees them, whether they came from JSON, YAML or a Python literal: null, bool, long, double, string,
/// <c>List&lt;object?&gt;</c> and <c>OrderedDictionary&lt;object, object?&gt;</c>.
/// </summary>
internal static class PythonValue
{
    /// <summary>The value of a JSON element.</summary>
    public static object? From(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => Map(element),
        JsonValueKind.Array => element.EnumerateArray().Select(From).ToList(),
        JsonValueKind.String => element.GetString(),
        JsonValueKind.Number => element.TryGetInt64(out long i) && !element.GetRawText().AsSpan().ContainsAny('.', 'e', 'E') ? i : element.GetDouble(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };

    /// <summary>The number that a value is; Python's bool counts as 0 or 1, as in a comparison.</summary>
    public static double? Number(object? value) => value switch
    {
        long i => i,
        int i => i,
        double d => d,
        bool b => b ? 1 : 0,
        _ => null,
    };

    /// <summary>Python's <c>str()</c> of a JSON element.</summary>
    public static string Text(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.String => element.GetString()!,
        JsonValueKind.Null or JsonValueKind.Undefined => "None",
        JsonValueKind.True => "True",
        JsonValueKind.False => "False",
        JsonValueKind.Number => Number(element),
        _ => element.GetRawText(),
    };

    /// <summary>Writes a value as JSON.</summary>
    public static void Write(Utf8JsonWriter writer, object? value)
    {
        switch (value)
        {
            case null:
                writer.WriteNullValue();
                break;
            case bool b:
                writer.WriteBooleanValue(b);
                break;
            case long i:
                writer.WriteNumberValue(i);
                break;
            case double d when double.IsFinite(d):
                writer.WriteNumberValue(d);
                break;
            case double:
                writer.WriteNullValue();
                break;
            case string s:
                writer.WriteStringValue(s);
                break;
            case List<object?> list:
                writer.WriteStartArray();
                list.ForEach(v => Write(writer, v));
                writer.WriteEndArray();
                break;
            case OrderedDictionary<object, object?> map:
                writer.WriteStartObject();
                foreach (var (key, item) in map)
                {
                    writer.WritePropertyName(Convert.ToString(key, CultureInfo.InvariantCulture)!);
                    Write(writer, item);
                }

                writer.WriteEndObject();
                break;
            default:
                throw new ArgumentException($"No JSON for {value.GetType().Name}.", nameof(value));
        }
    }

    /// <summary>A value's JSON.</summary>
    public static string Json(object? value)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            Write(writer, value);
        }

        return System.Text.Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    private static OrderedDictionary<object, object?> Map(JsonElement element)
    {
        var map = new OrderedDictionary<object, object?>();
        foreach (var field in element.EnumerateObject())
        {
            map[field.Name] = From(field.Value);
        }

        return map;
    }

    /// <summary>A number in Python's spelling: integers as they are, floats as the shortest text that reads back.</summary>
    private static string Number(JsonElement element)
    {
        string raw = element.GetRawText();
        return raw.AsSpan().ContainsAny('.', 'e', 'E') ? Float(element.GetDouble()) : raw;
    }

    /// <summary>Python's <c>repr</c> of a float.</summary>
    public static string Float(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }

        double size = Math.Abs(value);
        if (size != 0 && (size < 1e-4 || size >= 1e16))
        {
            string[] parts = value.ToString("E16", CultureInfo.InvariantCulture).Split('E');
            string digits = value.ToString("R", CultureInfo.InvariantCulture);
            if (digits.Contains('E', StringComparison.Ordinal))
            {
                parts = digits.Split('E');
            }
            else
            {
                string plain = digits.TrimStart('-');
                string significant = plain.Replace(".", string.Empty, StringComparison.Ordinal).TrimStart('0').TrimEnd('0');
                int exponent = (int)Math.Floor(Math.Log10(size));
                parts = [(value < 0 ? "-" : string.Empty) + significant[0] + (significant.Length > 1 ? "." + significant[1..] : string.Empty), exponent.ToString(CultureInfo.InvariantCulture)];
            }

            int power = int.Parse(parts[1], CultureInfo.InvariantCulture);
            return string.Create(CultureInfo.InvariantCulture, $"{parts[0]}e{(power < 0 ? '-' : '+')}{Math.Abs(power):00}");
        }

        string text = value.ToString("R", CultureInfo.InvariantCulture);
        if (text.Contains('E', StringComparison.Ordinal))
        {
            text = ((decimal)value).ToString(CultureInfo.InvariantCulture);
        }

        return text.Contains('.', StringComparison.Ordinal) ? text : text + ".0";
    }
}
