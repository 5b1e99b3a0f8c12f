namespace Farm.Pocket.Tasks;

/// <summary>The values of a phrasing's places, by name. The value "input" goes to the row's input.</summary>
internal sealed class Slots
{
    private static readonly char[] s_marks = [' ', '.', ',', '!', '?'];

    private readonly (string Name, string Value)[] _values;
    private string[]? _inputList, _inputWords;

    public Slots(params (string Name, string Value)[] values)
    {
        _values = values;
        Input = Find("input") ?? string.Empty;
    }

    /// <summary>The value of a place.</summary>
    /// <exception cref="KeyNotFoundException">There is no such place.</exception>
    public string this[string name] => Find(name) ?? throw new KeyNotFoundException($"There is no place '{name}'.");

    /// <summary>The row's input, empty where the kind has none.</summary>
    public string Input { get; }

    /// <summary>The parts of the input between commas.</summary>
    public string[] InputList => _inputList ??= Input.Split(", ");

    /// <summary>The words of the input without punctuation.</summary>
    public string[] InputWords => _inputWords ??= Input.Split(s_marks, StringSplitOptions.RemoveEmptyEntries);

    private string? Find(string name)
    {
        foreach (var (known, value) in _values)
        {
            if (known == name)
            {
                return value;
            }
        }

        return null;
    }
}
