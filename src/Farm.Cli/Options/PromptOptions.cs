using System.CommandLine;
using Farm.Cli.Data;
using Farm.Cli.Engine;
using Farm.Core;
using Farm.Models.Prompts;

namespace Farm.Cli.Options;

/// <summary>The flags that say how a row becomes a prompt.</summary>
internal sealed class PromptOptions
{
    private readonly Option<string?> _promptDictionary = new("--prompt-dict")
    {
        Description = "JSON file with the templates prompt_inputs and prompt_noinputs; AlpacaFarm's v0 templates unless given.",
        HelpName = "FILE",
    };

    private readonly Option<bool> _chat = new("--chat") { Description = "Uses the chat format of the model's family instead of templates." };

    private readonly Option<int?> _maxInstances = new("--max-instances") { Description = "Takes only the first K rows.", HelpName = "K" };

    /// <summary>Adds the flags to a verb.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_promptDictionary);
        command.Options.Add(_chat);
        command.Options.Add(_maxInstances);
    }

    /// <summary>How rows become prompts.</summary>
    public PromptFormat Format(ParseResult result, ModelFolder folder)
    {
        var dictionary = result.GetValue(_promptDictionary) is { } file ? PromptDictionary.Load(file) : PromptDictionary.AlpacaV0;
        return new PromptFormat(dictionary.Format);
    }

    /// <summary>Rows to take, null for all.</summary>
    public int? MaxInstances(ParseResult result) => result.GetValue(_maxInstances) is { } given
        ? given >= 1 ? given : throw new BadInputException($"--max-instances must be at least 1, not {given}.")
        : null;
}
