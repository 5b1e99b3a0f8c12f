using System.CommandLine;
using Farm.Cli.Data;
using Farm.Cli.Engine;
using Farm.Core;

namespace Farm.Cli.Options;

/// <summary>The flags that say where prompts come from: a file, texts, or token ids.</summary>
internal sealed class SourceOptions
{
    private readonly Option<string?> _input = new("--input") { Description = "Rows with instruction and input: AlpacaFarm's JSON, or JSON Lines.", HelpName = "FILE" };
    private readonly Option<string[]> _prompt = new("--prompt") { Description = "A prompt, used as it is; may be repeated.", HelpName = "TEXT" };
    private readonly Option<string[]> _promptIds = new("--prompt-ids") { Description = "A prompt as token ids with commas between; may be repeated.", HelpName = "1,2,3" };

    /// <summary>Adds the flags to a verb.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_input);
        command.Options.Add(_prompt);
        command.Options.Add(_promptIds);
    }

    /// <summary>Reads the prompts of whichever flag is given.</summary>
    public List<PromptItem> Read(ParseResult result, PromptOptions options, ModelFolder folder)
    {
        string? input = result.GetValue(_input);
        string[] texts = result.GetValue(_prompt) ?? [], ids = result.GetValue(_promptIds) ?? [];
        if ((input is null ? 0 : 1) + (texts.Length > 0 ? 1 : 0) + (ids.Length > 0 ? 1 : 0) != 1)
        {
            throw new BadInputException("Give the prompts by exactly one of --input, --prompt and --prompt-ids.");
        }

        if (input is null && options.AnyFormat(result))
        {
            throw new BadInputException("--prompt-dict and --chat format the rows of --input; a prompt given as a flag is used as it is.");
        }

        int context = folder.Config.MaxPositionEmbeddings;
        if (ids.Length > 0)
        {
            return PromptReader.FromIds(ids, folder.Config.VocabularySize, context);
        }

        var tokenizer = folder.RequireTokenizer();
        if (texts.Length > 0)
        {
            return PromptReader.FromTexts(texts, tokenizer, context);
        }

        var rows = InstructionFile.Read(input!, options.MaxInstances(result));
        return PromptReader.FromRows(input!, rows, options.Format(result, folder), tokenizer, context);
    }
}
