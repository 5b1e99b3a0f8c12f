using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Farm.Annotation.Data;

/// <summary>
/// Writes rows as pandas' <c>to_json(orient="records", indent=2)</c> does, the layout of AlpacaEval's annotation and cache files: two spaces,
/// no space after a colon, <c>\/</c> for a slash, lower-case <c>\u</c> escapes outside ASCII, no line feed at the end.
/// </summary>
public static class PandasJson
{
    /// <summary>The rows as text.</summary>
    public static string Write(IEnumerable<JsonRow> rows)
    {
        using var writer = new StringWriter(CultureInfo.InvariantCulture);
        Write(writer, rows);
        return writer.ToString();
    }

    /// <summary>Writes the rows.</summary>
    public static void Write(TextWriter writer, IEnumerable<JsonRow> rows)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(rows);
        var row = new StringBuilder();
        writer.Write('[');
        bool any = false;
        foreach (var fields in rows)
        {
            row.Clear().Append(any ? ",\n  " : "\n  ");
            any = true;
            Object(row, fields, 2);
            writer.Write(row);
        }

        writer.Write(any ? "\n]" : "]");
    }

    /// <summary>A number as pandas writes it: at most ten decimals, at least one, rounded to even in the last place.</summary>
    public static string Number(double value)
    {
        if (!double.IsFinite(value))
        {
            return "null";
        }

        decimal? exact = Math.Abs(value) < 1e15 ? (decimal)Math.Round(value, 10) : null;
        string text = exact is { } d ? d.ToString("0.0#########", CultureInfo.InvariantCulture) : value.ToString("R", CultureInfo.InvariantCulture);
        return text is "-0.0" ? "0.0" : text;
    }

    private static void Object(StringBuilder text, IEnumerable<KeyValuePair<string, JsonElement>> fields, int indent)
    {
        text.Append('{');
        bool any = false;
        foreach (var (name, value) in fields)
        {
            text.Append(any ? "," : string.Empty);
            NewLine(text, indent + 2);
            any = true;
            String(text, name);
            text.Append(':');
            Value(text, value, indent + 2);
        }

        if (any)
        {
            NewLine(text, indent);
        }

        text.Append('}');
    }

    private static void Array(StringBuilder text, JsonElement array, int indent)
    {
        text.Append('[');
        bool any = false;
        foreach (var item in array.EnumerateArray())
        {
            text.Append(any ? "," : string.Empty);
            NewLine(text, indent + 2);
            any = true;
            Value(text, item, indent + 2);
        }

        if (any)
        {
            NewLine(text, indent);
        }

        text.Append(']');
    }

    private static void Value(StringBuilder text, JsonElement value, int indent)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                Object(text, value.EnumerateObject().Select(p => KeyValuePair.Create(p.Name, p.Value)), indent);
                break;
            case JsonValueKind.Array:
                Array(text, value, indent);
                break;
            case JsonValueKind.String:
                String(text, value.GetString()!);
                break;
            default:
                text.Append(value.GetRawText());
                break;
        }
    }

    private static void NewLine(StringBuilder text, int indent) => text.Append('\n').Append(' ', indent);

    private static void String(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (char c in value)
        {
            _ = c switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '/' => text.Append("\\/"),
                '\b' => text.Append("\\b"),
                '\f' => text.Append("\\f"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                < ' ' or > '~' => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => text.Append(c),
            };
        }

        text.Append('"');
    }
}
