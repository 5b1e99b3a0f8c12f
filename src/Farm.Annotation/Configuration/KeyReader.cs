using System.Globalization;
using Farm.Core;

namespace Farm.Annotation.Configuration;

/// <summary>Reads typed settings out of a YAML map; errors say where.</summary>
internal sealed class KeyReader(string place, OrderedDictionary<object, object?> keys)
{
    /// <summary>Is the key there, and not null?</summary>
    public bool Has(string key) => keys.GetValueOrDefault(key) is not null;

    /// <summary>A text.</summary>
    public string Text(string key) => OptionalText(key) ?? throw new BadInputException($"{place}: the key '{key}' is missing.");

    /// <summary>A text or null.</summary>
    public string? OptionalText(string key) => keys.GetValueOrDefault(key) switch
    {
        null => null,
        string text => text,
        long or double or bool => JudgeConfigReader.Text(keys[key]),
        _ => throw Wrong(key, "must be a text"),
    };

    /// <summary>One of some names.</summary>
    public string OneOf(string key, string otherwise, IReadOnlyList<string> names)
    {
        string name = OptionalText(key) ?? otherwise;
        return names.Contains(name) ? name : throw Wrong(key, $"unknown name '{name}'; there are {string.Join(", ", names)}");
    }

    /// <summary>An integer.</summary>
    public int Integer(string key, int otherwise) => keys.GetValueOrDefault(key) switch
    {
        null => otherwise,
        long i when i is >= int.MinValue and <= int.MaxValue => (int)i,
        _ => throw Wrong(key, "must be an integer"),
    };

    /// <summary>A number, which may stand in a text: YAML 1.1 takes <c>9e-7</c> for one.</summary>
    public double? Number(string key) => keys.GetValueOrDefault(key) switch
    {
        null => null,
        long i => i,
        double d => d,
        string s when double.TryParse(s, NumberStyles.Float, CultureInfo.InvariantCulture, out double d) => d,
        _ => throw Wrong(key, "must be a number"),
    };

    /// <summary>A boolean.</summary>
    public bool Boolean(string key, bool otherwise) => keys.GetValueOrDefault(key) switch
    {
        null => otherwise,
        bool b => b,
        _ => throw Wrong(key, "must be true or false"),
    };

    /// <summary>A list of texts; a single text counts as a list of one.</summary>
    public IReadOnlyList<string> Texts(string key, IReadOnlyList<string> otherwise) => keys.GetValueOrDefault(key) switch
    {
        null => otherwise,
        string text => [text],
        List<object?> list => [.. list.Select(v => v as string ?? throw Wrong(key, "must be a list of texts"))],
        _ => throw Wrong(key, "must be a list of texts"),
    };

    /// <summary>A map; empty where there is none.</summary>
    public OrderedDictionary<object, object?> Map(string key) => keys.GetValueOrDefault(key) switch
    {
        null => [],
        OrderedDictionary<object, object?> map => map,
        _ => throw Wrong(key, "must be a map"),
    };

    /// <summary>Any value, null where there is none.</summary>
    public object? Any(string key) => keys.GetValueOrDefault(key);

    /// <summary>Refuses keys other than these.</summary>
    public void Only(params string[] names)
    {
        foreach (string key in keys.Keys.Select(JudgeConfigReader.Text))
        {
            if (!names.Contains(key))
            {
                throw new BadInputException($"{place}: unknown key '{key}'; the keys are {string.Join(", ", names)}.");
            }
        }
    }

    /// <summary>The error for a key's value.</summary>
    public BadInputException Wrong(string key, string what) => new($"{place}, key '{key}': {what}.");
}
