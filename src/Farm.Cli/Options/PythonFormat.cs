using System.Globalization;

namespace Farm.Cli.Options;

/// <summary>Numbers as Python prints them, for the strings of AlpacaFarm's files.</summary>
internal static class PythonFormat
{
    /// <summary>Python's <c>repr</c> of a float below 1e15: the shortest digits that read back, always with a point or an exponent.</summary>
    public static string Float(double value)
    {
        string text = value.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e');
        return text.AsSpan().ContainsAny('.', 'e') ? text : text + ".0";
    }
}
