using Farm.Core;
using Farm.Models.Prompts;

namespace Farm.Models.Tests.Prompts;

public class PromptDictionaryTests
{
    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public void A_row_without_input_takes_the_short_template(string? input) => Assert.Equal(
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\nSay {hi}\n\n### Response:",
        PromptDictionary.Default.Format("Say {hi}", input));

    [Fact]
    public void A_row_with_input_takes_the_long_template() => Assert.Equal(
        "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n"
        + "### Instruction:\nAdd\n\n### Input:\n{instruction}\n\n### Response:",
        PromptDictionary.Default.Format("Add", "{instruction}"));

    [Fact]
    public void White_space_counts_as_input() => Assert.Contains("### Input:\n \n", PromptDictionary.Default.Format("Add", " "), StringComparison.Ordinal);

    [Fact]
    public void Doubled_braces_are_braces()
    {
        var prompts = Load("""{"prompt_noinputs": "{{{instruction}}} {{}}", "prompt_inputs": "{input}{instruction}"}""");
        Assert.Equal("{x} {}", prompts.Format("x", null));
        Assert.Equal("yx", prompts.Format("x", "y"));
    }

    [Theory]
    [InlineData("""{"prompt_noinputs": "a } b", "prompt_inputs": ""}""", "prompt_noinputs has a single '}' at character 3")]
    [InlineData("""{"prompt_noinputs": "", "prompt_inputs": "{instruction"}""", "prompt_inputs has a single '{' at character 1")]
    [InlineData("""{"prompt_noinputs": "{answer}", "prompt_inputs": ""}""", "unknown field '{answer}'")]
    [InlineData("""{"prompt_noinputs": "{instruction!r}", "prompt_inputs": ""}""", "unknown field")]
    [InlineData("""{"prompt_noinputs": "{}", "prompt_inputs": ""}""", "unknown field")]
    [InlineData("""{"prompt_noinputs": ""}""", "prompt_inputs must be a string")]
    [InlineData("""{"prompt_noinputs": 3, "prompt_inputs": ""}""", "prompt_noinputs must be a string")]
    [InlineData("[]", "the root must be an object")]
    [InlineData("{\n \"a\" b}", "line 2")]
    public void Faults_name_the_file_and_the_field(string json, string fault)
    {
        var error = Assert.Throws<BadInputException>(() => Load(json));
        Assert.Contains("prompts.json", error.Message, StringComparison.Ordinal);
        Assert.Contains(fault, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_bad_input() => Assert.Throws<BadInputException>(() => PromptDictionary.Load("/nonexistent/prompts.json"));

    private static PromptDictionary Load(string json)
    {
        using var folder = new TemporaryFolder();
        folder.Write("prompts.json", json);
        return PromptDictionary.Load(Path.Combine(folder.Path, "prompts.json"));
    }
}
