using Farm.Core;

namespace Farm.Annotation.Metrics;

/// <summary>AlpacaEval's modes: how far an entry was checked, and which entries a table shows.</summary>
public static class LeaderboardModes
{
    /// <summary>From the most to the least selective.</summary>
    public static readonly IReadOnlyList<string> All = ["minimal", "verified", "community", "dev"];

    /// <summary>The mode itself.</summary>
    /// <exception cref="BadInputException">There is no such mode.</exception>
    public static string Check(string mode, string flag) =>
        All.Contains(mode) ? mode : throw new BadInputException($"{flag} must be one of {string.Join(", ", All)}, not '{mode}'.");

    /// <summary>True where a table of mode <paramref name="shown"/> has the row; rows without a mode are in every table.</summary>
    public static bool Shows(string shown, string? mode)
    {
        int place = All.ToList().IndexOf(mode ?? "");
        return place < 0 || place <= All.ToList().IndexOf(shown);
    }
}
