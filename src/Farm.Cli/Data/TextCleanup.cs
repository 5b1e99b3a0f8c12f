namespace Farm.Cli.Data;

/// <summary>AlpacaFarm's clean-up of decoded text before it is tokenised again.</summary>
internal static class TextCleanup
{
    /// <summary>Removes NUL characters and white space at both ends.</summary>
    public static string Apply(string text) => text.Replace("\0", string.Empty, StringComparison.Ordinal).Trim();
}
