using System.Text.Json;
using Farm.Annotation.Completions;
using Farm.Annotation.Configuration;

namespace Parity.Tokenizers;

/// <summary>Token ids for the words that judges favour or avoid, against js-tiktoken.</summary>
public class TiktokenTests
{
    private static readonly string[] Known = ["Both", "Neither", "None", " Both", " Neither", "Either", "depends", "context", "It", "both", "Sorry", "Output (a)", "Output (b)", "(a)", "(b)"];

    private static readonly string[] Others =
        ["Hello, wörld! 12345 x  y\n\nz", "I'll say \"no\", HE'LL say\tyes...", "CamelCase and snake_case/paths\r\n", "日本語 と 한국어 и кириллица", "😀 emoji 👩‍👩‍👧", "   ", "1234567 + 89 = ?", "don't\n\n\n  indent"];

    [Fact]
    public void Known_words_and_vocabulary_files_give_the_ids_of_js_tiktoken()
    {
        var scratch = Tool.Scratch("tiktoken");
        var input = Path.Combine(scratch, "texts.json");
        string[] texts = [.. Known, .. Others];
        File.WriteAllText(input, JsonSerializer.Serialize(texts));
        Tool.Node("tiktoken.mjs", Tool.NodeModules, scratch, input);
        foreach (var (encoding, model) in new[] { ("r50k_base", "text-davinci-001"), ("p50k_base", "text-davinci-003"), ("cl100k_base", "gpt-4-0314"), ("o200k_base", "gpt-4o") })
        {
            var expected = JsonSerializer.Deserialize<int[][]>(File.ReadAllText(Path.Combine(scratch, $"{encoding}.ids.json")))!;
            var vocabulary = TiktokenVocabulary.Read(Path.Combine(scratch, $"{encoding}.tiktoken"));
            for (var i = 0; i < texts.Length; i++)
            {
                Assert.Equal((encoding, texts[i], string.Join(' ', expected[i])), (encoding, texts[i], string.Join(' ', vocabulary.Encode(texts[i]))));
                if (i < Known.Length)
                {
                    var bias = LogitBias.Known(Favoring(scratch, model, texts[i]));
                    Assert.Equal(expected[i].Distinct().Order(), bias!.Keys.Select(int.Parse).Order());
                }
            }

            Assert.Null(LogitBias.Known(Favoring(scratch, model, "unheard of")));
        }
    }

    private static JudgeConfig Favoring(string scratch, string model, string word)
    {
        var folder = Directory.CreateDirectory(Path.Combine(scratch, "judge")).FullName;
        File.WriteAllText(Path.Combine(folder, "prompt.txt"), "{instruction}{output_1}{output_2}");
        File.WriteAllText(Path.Combine(folder, "configs.yaml"), $$$"""
            judge:
              prompt_template: "judge/prompt.txt"
              completions_kwargs: {model_name: "{{{model}}}", tokens_to_favor: ["{{{word}}}"]}
              completion_parser_kwargs: {outputs_to_match: {1: 'a', 2: 'b'}}
            """);
        return JudgeConfigReader.Read(folder)[0];
    }
}
