using System.CommandLine;
using System.CommandLine.Parsing;
using System.Runtime.InteropServices;
using System.Text;
using Farm.Cli.Options;
using Farm.Cli.Verbs;
using Farm.Core;
using Farm.Cuda.Driver;

namespace Farm.Cli;

/// <summary>The <c>farm</c> command: parses, runs a verb, and turns how it ended into an exit code.</summary>
public static class Program
{
    /// <summary>Runs the command line.</summary>
    /// <returns>0 done, 1 an error of Farm itself, 2 bad input, 130 interrupted.</returns>
    public static int Main(string[] args)
    {
        ArgumentNullException.ThrowIfNull(args);
        Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        using var interrupted = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, c => Cancel(c, interrupted));
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, c => Cancel(c, interrupted));
        return Run(args, interrupted.Token);
    }

    private static int Run(string[] args, CancellationToken cancellation)
    {
        try
        {
            return Invoke(args, cancellation);
        }
        catch (BadInputException e)
        {
            Console.Error.WriteLine(e.Message);
            Trace(e);
            return ExitCodes.BadInput;
        }
        catch (CudaException e)
        {
            Console.Error.WriteLine(e.Message);
            Trace(e);
            return ExitCodes.Failed;
        }
        catch (OperationCanceledException e)
        {
            Console.Error.WriteLine(e is InterruptedRunException ? e.Message : "Interrupted.");
            return ExitCodes.Interrupted;
        }
        catch (Exception e)
        {
            Console.Error.WriteLine($"farm: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")} (FARM_DEBUG=1 shows where)");
            Trace(e);
            return ExitCodes.Failed;
        }
    }

    private static int Invoke(string[] args, CancellationToken cancellation)
    {
        var result = Root(cancellation).Parse(args);
        return result.Errors.Count > 0
            ? Refuse(result)
            : result.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
    }

    /// <summary>The whole command line.</summary>
    internal static RootCommand Root(CancellationToken cancellation)
    {
        var root = new RootCommand("Farm samples, scores and ranks responses of instruction-following language models on this machine.");
        foreach (var verb in new[]
        {
            BestOfNVerb.Create(cancellation), DecodeVerb.Create(cancellation), ScoreVerb.Create(cancellation), RerankVerb.Create(cancellation),
            SftVerb.Create(cancellation), RewardVerb.Create(cancellation), PpoVerb.Create(cancellation), DpoVerb.Create(cancellation), ExpertIterationVerb.Create(cancellation),
            QuarkVerb.Create(cancellation), FeedMeVerb.Create(cancellation), RewardConditionVerb.Create(cancellation), SimulateVerb.Create(cancellation), RecoverVerb.Create(),
            AnnotateVerb.Create(cancellation), EvaluateVerb.Create(cancellation), LeaderboardVerb.Create(), AnalyzeVerb.Create(), ConsistencyVerb.Create(), WinrateVerb.Create(),
            UltraFeedbackVerb.Create(cancellation), SparseFeedbackVerbs.Conversions(), OaiBaselineVerb.Create(cancellation), CompareModelsVerb.Create(cancellation),
            TokenizeVerb.Create(), BenchVerb.Create(cancellation), DoctorVerb.Create(cancellation), PocketVerb.Create(args => Invoke(args, cancellation), cancellation),
        })
        {
            root.Subcommands.Add(verb);
        }

        return root;
    }

    /// <summary>What is wrong with the arguments, and what was perhaps meant.</summary>
    private static int Refuse(ParseResult result)
    {
        // An unknown flag makes errors of its value and of what follows it too; the first unknown one says enough.
        string? unknown = result.UnmatchedTokens is [var first, ..] ? first : null;
        var command = result.CommandResult.Command;
        if (unknown?.Split('=')[0] == "--device" && WithoutDevice.Sentence(Path(result.CommandResult)) is { } reason)
        {
            Console.Error.WriteLine(reason);
            return ExitCodes.BadInput;
        }

        Console.Error.WriteLine(
            unknown is not null ? $"Unknown command or flag '{unknown}'; {Path(result.CommandResult)} --help lists those there are."
            : command.Action is null ? $"{Path(result.CommandResult)} needs a command; {Path(result.CommandResult)} --help lists them."
            : TypeNames.Replace(result.Errors[0].Message));
        if (unknown is not null)
        {
            string[] near = [.. Suggestions.Near(unknown, command.Options.Select(o => o.Name).Concat(command.Subcommands.Select(c => c.Name)))];
            if (near.Length > 0)
            {
                Console.Error.WriteLine($"Did you mean {string.Join(" or ", near)}?");
            }
        }

        return ExitCodes.BadInput;
    }

    private static string Path(CommandResult result) =>
        result.Parent is CommandResult parent ? $"{Path(parent)} {result.Command.Name}" : "farm";

    private static void Cancel(PosixSignalContext context, CancellationTokenSource source)
    {
        // The second signal is left to its default action and ends the process at once.
        if (!source.IsCancellationRequested)
        {
            context.Cancel = true;
            source.Cancel();
        }
    }

    private static void Trace(Exception e)
    {
        if (Environment.GetEnvironmentVariable("FARM_DEBUG") == "1")
        {
            Console.Error.WriteLine(e);
        }
    }
}
