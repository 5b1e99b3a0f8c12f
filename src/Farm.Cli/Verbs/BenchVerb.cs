using System.CommandLine;

namespace Farm.Cli.Verbs;

/// <summary><c>farm bench</c>: measurements.</summary>
internal static class BenchVerb
{
    /// <summary>Builds the verb with its own verbs.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var command = new Command("bench", "Measures this machine at Farm's work.");
        command.Subcommands.Add(BenchSampleVerb.Create(cancellation));
        command.Subcommands.Add(BenchTrainVerb.Create(cancellation));
        command.Subcommands.Add(BenchKernelsVerb.Create(cancellation));
        command.Subcommands.Add(BenchMemoryVerb.Create());
        command.Subcommands.Add(BenchMakeModelVerb.Create());
        return command;
    }
}
