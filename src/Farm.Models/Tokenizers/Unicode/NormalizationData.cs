using System.Globalization;

namespace Farm.Models.Tokenizers.Unicode;

/// <summary>Combining classes, decompositions and compositions, read from the embedded NormalizationData.txt on first use.</summary>
internal sealed class NormalizationData
{
    private static readonly Lazy<NormalizationData> s_instance = new(() => new NormalizationData());
    private readonly Dictionary<int, byte> _classes = [];
    private readonly Dictionary<int, (bool Compatible, int[] Parts)> _mappings = [];
    private readonly Dictionary<(int First, int Second), int> _compositions = [];

    private NormalizationData()
    {
        using var stream = typeof(NormalizationData).Assembly.GetManifestResourceStream("Farm.Models.NormalizationData.txt")
            ?? throw new InvalidOperationException("The resource NormalizationData.txt is missing.");
        using var reader = new StreamReader(stream);
        var excluded = new HashSet<int>();
        var section = string.Empty;
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith('#'))
            {
                continue;
            }

            if (line.StartsWith('['))
            {
                section = line;
            }
            else if (section == "[class]")
            {
                var space = line.IndexOf(' ', StringComparison.Ordinal);
                ForRange(line[..space], point => _classes[point] = byte.Parse(line.AsSpan(space + 1), NumberStyles.None, CultureInfo.InvariantCulture));
            }
            else if (section == "[excluded]")
            {
                ForRange(line, point => excluded.Add(point));
            }
            else
            {
                AddMapping(line, excluded);
            }
        }
    }

    public static NormalizationData Instance => s_instance.Value;

    public byte ClassOf(int point) => _classes.GetValueOrDefault(point);

    public bool TryDecompose(int point, bool compatible, out int[] parts)
    {
        var found = _mappings.TryGetValue(point, out var mapping) && (compatible || !mapping.Compatible);
        parts = found ? mapping.Parts : [];
        return found;
    }

    public bool TryCompose(int first, int second, out int composed) => _compositions.TryGetValue((first, second), out composed);

    private void AddMapping(string line, HashSet<int> excluded)
    {
        var at = line.AsSpan().IndexOfAny('=', '~');
        var point = Hex(line.AsSpan(0, at));
        int[] parts = [.. line[(at + 1)..].Split(' ').Select(p => Hex(p))];
        var compatible = line[at] == '~';
        _mappings.Add(point, (compatible, parts));
        if (!compatible && parts.Length == 2 && !excluded.Contains(point))
        {
            _compositions.Add((parts[0], parts[1]), point);
        }
    }

    private static void ForRange(string range, Action<int> action)
    {
        var dash = range.IndexOf('-', StringComparison.Ordinal);
        var (first, last) = dash < 0 ? (Hex(range), Hex(range)) : (Hex(range.AsSpan(0, dash)), Hex(range.AsSpan(dash + 1)));
        for (var point = first; point <= last; point++)
        {
            action(point);
        }
    }

    private static int Hex(ReadOnlySpan<char> text) => int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
