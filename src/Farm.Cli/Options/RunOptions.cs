using System.CommandLine;
using System.Text.Json.Nodes;
using Farm.Cli.Output;

namespace Farm.Cli.Options;

/// <summary>The flags of a run that writes a file and can be gone on with.</summary>
internal sealed class RunOptions(bool outputRequired)
{
    private readonly Option<string?> _output = new("--output") { Description = "File for the results.", HelpName = "OUT.json", Required = outputRequired };
    private readonly Option<bool> _resume = new("--resume") { Description = "Goes on with an unfinished run of the same settings." };
    private readonly Option<bool> _restart = new("--restart") { Description = "Throws an unfinished run away and begins again." };

    /// <summary>Adds the flags to a verb.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_output);
        command.Options.Add(_resume);
        command.Options.Add(_restart);
    }

    /// <summary>The result file, null where none is asked for.</summary>
    public string? OutputPath(ParseResult result) => result.GetValue(_output);

    /// <summary>Opens the journal of the run.</summary>
    public Journal OpenJournal(ParseResult result, string output, JsonObject fingerprint) =>
        Journal.Open(output, fingerprint, result.GetValue(_resume), result.GetValue(_restart));
}
