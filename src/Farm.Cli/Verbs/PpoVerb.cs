using System.CommandLine;
using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Core;

namespace Farm.Cli.Verbs;

/// <summary><c>farm ppo</c>: proximal policy optimisation from a reward model.</summary>
internal static class PpoVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var flags = new PpoFlags();
        var command = new Command("ppo", "Trains a fine-tuned model on a reward model's scores of its own responses, by proximal policy optimisation.");
        flags.AddTo(command);
        command.SetAction(result =>
        {
            var (settings, options) = flags.Read(result);
            var session = new FeedbackSession(settings, options.Resume);
            int[] tokens = [.. flags.TruncateTokens(result).Select(t => session.Tokenizer.IdOf(t) ?? throw new BadInputException($"--truncate-tokens: '{t}' is no token of {settings.Policy}."))];
            new PpoRun(session, options with { TruncateTokens = tokens }).Run(cancellation);
            return ExitCodes.Done;
        });
        return command;
    }
}
