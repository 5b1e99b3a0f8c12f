using System.Text.Json;
using System.Text.RegularExpressions;
using Farm.Annotation.Data;
using Farm.Core;

namespace Farm.Annotation.Baselines;

/// <summary>A prompt dictionary of AlpacaFarm: a template for rows with an input and one for rows without.</summary>
/// <param name="Name">Its name, or its file.</param>
/// <param name="WithInput">Has {instruction} and {input}.</param>
/// <param name="WithoutInput">Has {instruction}.</param>
public sealed partial record AlpacaPrompts(string Name, string WithInput, string WithoutInput)
{
    private const string Pair = "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.";
    private const string Alone = "Below is an instruction that describes a task. Write a response that appropriately completes the request.";
    private const string Task = "\n\n### Instruction:\n{instruction}", Input = "\n\n### Input:\n{input}", Response = "\n\n### Response:";

    /// <summary>AlpacaFarm's default, a plain text.</summary>
    public static AlpacaPrompts V0 { get; } = new("v0", Pair + Task + Input + Response, Alone + Task + Response);

    /// <summary>The chat that asks for less than 1000 characters.</summary>
    public static AlpacaPrompts Char1K { get; } = Chat("char1k", 1000);

    /// <summary>The chat that asks for less than 500 characters.</summary>
    public static AlpacaPrompts Char500 { get; } = Chat("char500", 500);

    /// <summary>The prompts that AlpacaFarm uses for a model, null where it has none.</summary>
    public static AlpacaPrompts? Of(string model) => model switch
    {
        "text-davinci-003" or "text-davinci-001" => V0,
        "gpt-3.5-turbo-0301" => Char1K,
        "gpt-4-0314" => Char500,
        _ => null,
    };

    /// <summary>The prompts of a name (v0, char1k, char500), or of a JSON file with prompt_inputs and prompt_noinputs.</summary>
    /// <exception cref="BadInputException">The file cannot be read, or a template lacks a slot.</exception>
    public static AlpacaPrompts Load(string nameOrPath)
    {
        switch (nameOrPath)
        {
            case "v0":
                return V0;
            case "char1k":
                return Char1K;
            case "char500":
                return Char500;
        }

        try
        {
            var root = JsonElement.Parse(RowFile.ReadText(nameOrPath));
            return new AlpacaPrompts(nameOrPath, Template(nameOrPath, root, "prompt_inputs", "{input}"), Template(nameOrPath, root, "prompt_noinputs", null));
        }
        catch (JsonException e)
        {
            throw new BadInputException($"{nameOrPath} is not JSON; prompts are v0, char1k, char500, or a JSON file with prompt_inputs and prompt_noinputs.", e);
        }
    }

    /// <summary>Fills the template for a row; an empty input is none, white space is one. Braces in the values stay what they are.</summary>
    public string Format(string instruction, string? input) =>
        Slot().Replace(string.IsNullOrEmpty(input) ? WithoutInput : WithInput, m => m.Value == "{instruction}" ? instruction : input ?? "");

    // AlpacaFarm's chat files keep the preamble about an input for rows that have none.
    private static AlpacaPrompts Chat(string name, int characters)
    {
        string begin = $"<|im_start|>system\nYou are a helpful assistant that answers in less than {characters} characters.\n<|im_end|>\n<|im_start|>user\n{Pair}{Task}";
        string end = Response + "\n<|im_end|>";
        return new AlpacaPrompts(name, begin + Input + end, begin + end);
    }

    private static string Template(string path, JsonElement root, string field, string? slot)
    {
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty(field, out var value) || value.ValueKind != JsonValueKind.String)
        {
            throw new BadInputException($"{path}: the field '{field}' must be a template.");
        }

        string text = value.GetString()!;
        string? missing = !text.Contains("{instruction}", StringComparison.Ordinal) ? "{instruction}" : slot is not null && !text.Contains(slot, StringComparison.Ordinal) ? slot : null;
        return missing is null ? text : throw new BadInputException($"{path}, field '{field}': the template has no {missing}.");
    }

    [GeneratedRegex(@"\{(instruction|input)\}", RegexOptions.CultureInvariant)]
    private static partial Regex Slot();
}
