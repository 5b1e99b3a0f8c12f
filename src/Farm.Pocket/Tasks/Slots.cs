namespace Farm.Pocket.Tasks;

/// <summary>The values of a phrasing's places, by name. The value "input" goes to the row's input.</summary>
internal sealed class Slots
{
    private readonly Dictionary<string, string> _values;

    public Slots(params (string Name, string Value)[] values) => _values = values.ToDictionary(v => v.Name, v => v.Value, StringComparer.Ordinal);

    public Slots(Dictionary<string, string> values) => _values = values;

    /// <summary>The value of a place.</summary>
    public string this[string name] => _values[name];

    /// <summary>The row's input, empty where the kind has none.</summary>
    public string Input => _values.GetValueOrDefault("input", string.Empty);

    /// <summary>The parts of the input between commas.</summary>
    public string[] InputList => Input.Split(", ");

    /// <summary>The words of the input without punctuation.</summary>
    public string[] InputWords => Input.Split([' ', '.', ',', '!', '?'], StringSplitOptions.RemoveEmptyEntries);
}
