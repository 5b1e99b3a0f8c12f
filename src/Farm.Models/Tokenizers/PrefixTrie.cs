namespace Farm.Models.Tokenizers;

/// <summary>Finds the longest of a set of strings that starts at a given place. Keys are sequences of 16-bit units (UTF-16 or widened bytes).</summary>
internal sealed class PrefixTrie
{
    private readonly Dictionary<long, int> _next = [];
    private readonly List<int> _values = [-1];
    private readonly bool[] _first = new bool[char.MaxValue + 1];

    public bool IsEmpty => _values.Count == 1;

    /// <summary>Adds a key; a later value replaces an earlier one of the same key. Empty keys are ignored.</summary>
    public void Add(ReadOnlySpan<char> key, int value)
    {
        if (key.IsEmpty)
        {
            return;
        }

        _first[key[0]] = true;
        var node = 0;
        foreach (var unit in key)
        {
            var edge = Edge(node, unit);
            if (!_next.TryGetValue(edge, out var child))
            {
                child = _values.Count;
                _values.Add(-1);
                _next.Add(edge, child);
            }

            node = child;
        }

        _values[node] = value;
    }

    /// <summary>The longest key that is a prefix of the text, or length 0.</summary>
    public (int Length, int Value) Longest(ReadOnlySpan<char> text)
    {
        var found = (Length: 0, Value: -1);
        if (text.IsEmpty || !_first[text[0]])
        {
            return found;
        }

        var node = 0;
        for (var i = 0; i < text.Length && _next.TryGetValue(Edge(node, text[i]), out node); i++)
        {
            if (_values[node] >= 0)
            {
                found = (i + 1, _values[node]);
            }
        }

        return found;
    }

    /// <summary>The longest key that is a prefix of the bytes, each byte one unit.</summary>
    public int LongestLength(ReadOnlySpan<byte> text)
    {
        var length = 0;
        if (text.IsEmpty || !_first[text[0]])
        {
            return length;
        }

        var node = 0;
        for (var i = 0; i < text.Length && _next.TryGetValue(Edge(node, text[i]), out node); i++)
        {
            if (_values[node] >= 0)
            {
                length = i + 1;
            }
        }

        return length;
    }

    private static long Edge(int node, int unit) => ((long)node << 16) | (uint)unit;
}
