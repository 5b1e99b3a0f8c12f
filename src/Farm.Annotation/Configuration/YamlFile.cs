using System.Globalization;
using System.Text.RegularExpressions;
using Farm.Annotation.Data;
using Farm.Core;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Farm.Annotation.Configuration;

/// <summary>
/// YAML as PyYAML's <c>safe_load</c> reads it (YAML 1.1): <c>yes</c> and <c>off</c> are booleans, <c>9e-7</c> without a dot is a text.
/// Maps are <c>OrderedDictionary&lt;object, object?&gt;</c>, lists <c>List&lt;object?&gt;</c>.
/// </summary>
internal static partial class YamlFile
{
    /// <summary>The value of a file's one document.</summary>
    /// <exception cref="BadInputException">It is missing or no YAML.</exception>
    public static object? Read(string path)
    {
        var stream = new YamlStream();
        try
        {
            using var reader = new StringReader(RowFile.ReadText(path));
            stream.Load(reader);
        }
        catch (YamlException e)
        {
            throw new BadInputException($"{path} is not YAML: line {e.Start.Line}, column {e.Start.Column}: {e.Message}", e);
        }

        return stream.Documents.Count switch
        {
            0 => null,
            1 => Value(stream.Documents[0].RootNode),
            _ => throw new BadInputException($"{path} holds several YAML documents where one is meant."),
        };
    }

    private static object? Value(YamlNode node) => node switch
    {
        YamlMappingNode map => Map(map),
        YamlSequenceNode list => list.Select(Value).ToList(),
        YamlScalarNode scalar => scalar.Style == ScalarStyle.Plain ? Plain(scalar.Value ?? string.Empty) : scalar.Value ?? string.Empty,
        _ => null,
    };

    private static OrderedDictionary<object, object?> Map(YamlMappingNode node)
    {
        var map = new OrderedDictionary<object, object?>();
        foreach (var (key, value) in node)
        {
            if (key is YamlScalarNode { Value: "<<", Style: ScalarStyle.Plain })
            {
                foreach (var (name, inherited) in Merged(value))
                {
                    map.TryAdd(name, inherited);
                }
            }
            else
            {
                map[Value(key) ?? string.Empty] = Value(value);
            }
        }

        return map;
    }

    private static IEnumerable<KeyValuePair<object, object?>> Merged(YamlNode node) => node switch
    {
        YamlMappingNode map => Map(map),
        YamlSequenceNode list => list.SelectMany(Merged),
        _ => [],
    };

    private static object? Plain(string text)
    {
        switch (text)
        {
            case "" or "~" or "null" or "Null" or "NULL":
                return null;
            case "true" or "True" or "TRUE" or "yes" or "Yes" or "YES" or "on" or "On" or "ON":
                return true;
            case "false" or "False" or "FALSE" or "no" or "No" or "NO" or "off" or "Off" or "OFF":
                return false;
            case ".nan" or ".NaN" or ".NAN":
                return double.NaN;
        }

        string digits = text.Replace("_", string.Empty, StringComparison.Ordinal);
        if (Integer().IsMatch(text) && long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long integer))
        {
            return integer;
        }

        if (Hexadecimal().IsMatch(text))
        {
            return long.Parse(digits.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        }

        if (Float().IsMatch(text))
        {
            return double.Parse(digits, CultureInfo.InvariantCulture);
        }

        return Infinity().IsMatch(text) ? text[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity : text;
    }

    [GeneratedRegex(@"^[-+]?(?:0|[1-9][0-9_]*)$", RegexOptions.CultureInvariant)]
    private static partial Regex Integer();

    [GeneratedRegex(@"^0x[0-9a-fA-F]{1,15}$", RegexOptions.CultureInvariant)]
    private static partial Regex Hexadecimal();

    [GeneratedRegex(@"^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|[-+]?\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?)$", RegexOptions.CultureInvariant)]
    private static partial Regex Float();

    [GeneratedRegex(@"^[-+]?\.(?:inf|Inf|INF)$", RegexOptions.CultureInvariant)]
    private static partial Regex Infinity();
}
