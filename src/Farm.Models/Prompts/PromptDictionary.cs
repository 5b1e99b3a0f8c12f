using Farm.Core;
using Farm.Models.Tokenizers;

namespace Farm.Models.Prompts;

/// <summary>
/// AlpacaFarm's prompt dictionary: one template for rows without input, one for rows with. The formatted prompt is followed directly by
/// the response, with no separator.
/// </summary>
public sealed class PromptDictionary
{
    private readonly PromptTemplate _withoutInput;
    private readonly PromptTemplate _withInput;

    private PromptDictionary(string withoutInput, string withInput, string file)
    {
        _withoutInput = new PromptTemplate(withoutInput, $"{file}: prompt_noinputs");
        _withInput = new PromptTemplate(withInput, $"{file}: prompt_inputs");
    }

    /// <summary>The dictionary of AlpacaFarm's <c>v0_inputs_noinputs.json</c>, which all of its non-chat models are trained with.</summary>
    public static PromptDictionary Default { get; } = new(
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
        + "### Instruction:\n{instruction}\n\n### Response:",
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        + "Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:",
        "the default prompt dictionary");

    /// <summary>Loads a JSON file with the strings <c>prompt_noinputs</c> and <c>prompt_inputs</c>.</summary>
    /// <exception cref="BadInputException">The file is missing or not JSON, a template is missing or has stray braces or unknown fields.</exception>
    public static PromptDictionary Load(string path)
    {
        var root = JsonField.TryRead(path) ?? throw new BadInputException($"The prompt dictionary {path} does not exist.");
        return new PromptDictionary(root["prompt_noinputs"].String(), root["prompt_inputs"].String(), path);
    }

    /// <summary>
    /// The prompt of a row. An input that is null or empty selects the template without input; white space counts as an input.
    /// </summary>
    public string Format(string instruction, string? input)
    {
        ArgumentNullException.ThrowIfNull(instruction);
        return string.IsNullOrEmpty(input) ? _withoutInput.Format(instruction, string.Empty) : _withInput.Format(instruction, input);
    }
}
