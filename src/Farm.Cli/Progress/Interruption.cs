namespace Farm.Cli.Progress;

/// <summary>What the user hears between Ctrl+C and the end of a run that asks a server.</summary>
internal static class Interruption
{
    /// <summary>Says, once the run is interrupted, what it still waits for.</summary>
    public static IDisposable Tell(CancellationToken cancellation) =>
        cancellation.Register(() => Console.Error.WriteLine("Stopping: replies on their way are paid for and waited for; Ctrl+C again ends at once."));
}
