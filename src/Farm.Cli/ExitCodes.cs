namespace Farm.Cli;

/// <summary>Exit codes that scripts may rely on.</summary>
internal static class ExitCodes
{
    /// <summary>Done.</summary>
    public const int Done = 0;

    /// <summary>An error of Farm itself.</summary>
    public const int Failed = 1;

    /// <summary>The input cannot be used; one sentence on standard error says why.</summary>
    public const int BadInput = 2;

    /// <summary>Interrupted; what was finished is kept.</summary>
    public const int Interrupted = 130;
}
