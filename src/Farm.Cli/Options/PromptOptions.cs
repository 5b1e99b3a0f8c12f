using System.CommandLine;
using Farm.Cli.Data;
using Farm.Cli.Engine;
using Farm.Core;
using Farm.Models.Prompts;
using Farm.Models.Tokenizers;

namespace Farm.Cli.Options;

/// <summary>The flags that say how a row becomes a prompt.</summary>
/// <param name="chat">True where the verb takes <c>--chat</c>; reward models are trained on templates, so verbs that only score do not.</param>
internal sealed class PromptOptions(bool chat)
{
    private readonly Option<string?> _promptDictionary = new("--prompt-dict")
    {
        Description = "JSON file with the templates prompt_inputs and prompt_noinputs; AlpacaFarm's v0 templates unless given.",
        HelpName = "FILE",
    };

    private readonly Option<string?> _chat = new("--chat")
    {
        Description = $"Uses a chat format instead: the one of the model's chat template, or one of {string.Join(", ", ChatFormat.Names)}.",
        HelpName = "FORMAT",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<int?> _maxInstances = new("--max-instances") { Description = "Takes only the first K rows.", HelpName = "K" };

    /// <summary>Adds the flags to a verb.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_promptDictionary);
        if (chat)
        {
            command.Options.Add(_chat);
        }

        command.Options.Add(_maxInstances);
    }

    /// <summary>True where a chat format is asked for.</summary>
    public bool Chat(ParseResult result) => chat && result.GetResult(_chat) is not null;

    /// <summary>True where any flag says how rows become prompts.</summary>
    public bool AnyFormat(ParseResult result) => Chat(result) || result.GetValue(_promptDictionary) is not null;

    /// <summary>How rows become prompts.</summary>
    /// <exception cref="BadInputException">Both kinds of format are asked for, or the one asked for cannot be had.</exception>
    public PromptFormat Format(ParseResult result, ModelFolder folder)
    {
        string? file = result.GetValue(_promptDictionary);
        if (!Chat(result))
        {
            return new PromptFormat((file is null ? PromptDictionary.Default : PromptDictionary.Load(file)).Format);
        }

        if (file is not null)
        {
            throw new BadInputException("Give either --prompt-dict or --chat, not both.");
        }

        var format = result.GetValue(_chat) is { } name
            ? ChatFormat.For(name)
            : ChatFormat.Detect(TokenizerSettings.Load(folder.FolderPath).ChatTemplate)
                ?? throw new BadInputException($"{folder.FolderPath} has no chat template of a known family; name one: --chat {string.Join("|", ChatFormat.Names)}.");
        return new PromptFormat(
            (instruction, input) => format.Format([new ChatMessage("user", string.IsNullOrEmpty(input) ? instruction : $"{instruction}\n\n{input}")]),
            AddSpecialTokens: false);
    }

    /// <summary>Rows to take, null for all.</summary>
    public int? MaxInstances(ParseResult result) => FlagChecks.MaxInstances(result.GetValue(_maxInstances));
}
