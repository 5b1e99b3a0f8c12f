using System.Globalization;
using Farm.Core;
using Farm.Models.Tokenizers;

namespace Farm.Cli.Data;

/// <summary>Makes prompts from the flags of a verb.</summary>
internal static class PromptReader
{
    /// <summary>Formats and tokenises rows.</summary>
    /// <param name="file">The file the rows are from, for messages.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="format">Turns instruction and input into the prompt.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="context">The most tokens the model takes; a prompt must leave room for one more.</param>
    /// <exception cref="BadInputException">A prompt is too long.</exception>
    public static List<PromptItem> FromRows(string file, IReadOnlyList<InstructionRow> rows, PromptFormat format, ITokenizer tokenizer, int context)
    {
        var prompts = new List<PromptItem>(rows.Count);
        foreach (var row in rows)
        {
            string text = format.Format(row.Instruction, row.Input);
            int[] ids = tokenizer.Encode(text, format.AddSpecialTokens);
            CheckLength($"{file}, row {row.Number}", ids.Length, context);
            prompts.Add(new PromptItem(prompts.Count, text, ids, row));
        }

        return prompts;
    }

    /// <summary>Tokenises texts that are prompts as they stand.</summary>
    public static List<PromptItem> FromTexts(IReadOnlyList<string> texts, ITokenizer tokenizer, int context) =>
        [.. texts.Select((text, i) =>
        {
            int[] ids = tokenizer.Encode(text);
            CheckLength($"--prompt {i + 1}", ids.Length, context);
            return new PromptItem(i, text, ids, Row: null);
        })];

    /// <summary>Reads comma-separated token ids.</summary>
    public static List<PromptItem> FromIds(IReadOnlyList<string> lists, int vocabularySize, int context) =>
        [.. lists.Select((list, i) =>
        {
            int[] ids = [.. list.Split(',', StringSplitOptions.TrimEntries).Select(part => ParseId(part, vocabularySize))];
            CheckLength($"--prompt-ids {i + 1}", ids.Length, context);
            return new PromptItem(i, Text: null, ids, Row: null);
        })];

    private static int ParseId(string part, int vocabularySize) =>
        !int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
            ? throw new BadInputException($"--prompt-ids takes token ids with commas between them; '{part}' is not one.")
            : id < vocabularySize
                ? id
                : throw new BadInputException($"--prompt-ids: the id {id} is outside the model's vocabulary of {vocabularySize}.");

    private static void CheckLength(string place, int tokens, int context)
    {
        if (tokens == 0)
        {
            throw new BadInputException($"{place}: the prompt has no tokens.");
        }

        if (tokens >= context)
        {
            throw new BadInputException($"{place}: the prompt is {tokens} tokens long and leaves no room in the model's context of {context}.");
        }
    }
}
