using System.Text.Json;
using Farm.Core;

namespace Farm.Cli.Data;

/// <summary>Rows that come from a place other than a file: <c>SCHEME:NAME</c> where a file is asked for.</summary>
internal interface IRowScheme
{
    /// <summary>What stands before the colon.</summary>
    string Name { get; }

    /// <summary>The rows of a set, as a JSON file of them would have them.</summary>
    /// <exception cref="BadInputException">There is no such set.</exception>
    IReadOnlyList<JsonElement> Rows(string set);
}

/// <summary>The schemes there are.</summary>
internal static class RowSchemes
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<IRowScheme> All { get; } = [new PocketScheme()];

    /// <summary>The rows of <c>SCHEME:NAME</c>; null where the text begins with no scheme's name.</summary>
    public static IReadOnlyList<JsonElement>? TryRows(string source)
    {
        int colon = source.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 ? All.FirstOrDefault(s => s.Name == source[..colon])?.Rows(source[(colon + 1)..]) : null;
    }
}
