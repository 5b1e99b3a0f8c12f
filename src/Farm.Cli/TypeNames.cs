namespace Farm.Cli;

/// <summary>Says in words what the parser says in names of .NET types.</summary>
internal static class TypeNames
{
    /// <summary>The message with types named for people.</summary>
    public static string Replace(string message) => message
        .Replace("as expected type 'System.Double'", "as a number", StringComparison.Ordinal)
        .Replace("as expected type 'System.Int32'", "as a whole number", StringComparison.Ordinal)
        .Replace("as expected type 'System.Int64'", "as a whole number", StringComparison.Ordinal)
        .Replace("as expected type 'System.UInt64'", "as a whole number of at least 0", StringComparison.Ordinal)
        .Replace("as expected type 'System.Nullable`1[System.Int32]'", "as a whole number", StringComparison.Ordinal);
}
