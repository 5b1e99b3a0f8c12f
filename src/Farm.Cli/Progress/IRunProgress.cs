namespace Farm.Cli.Progress;

/// <summary>Shows how far a long run is. Written to standard error, so that standard output stays clean.</summary>
internal interface IRunProgress
{
    /// <summary>Reports the state; cheap enough to be called for every finished sample.</summary>
    /// <param name="done">Prompts finished, those of an earlier run counted.</param>
    /// <param name="tokens">Tokens made by this run.</param>
    void Report(int done, long tokens);
}
