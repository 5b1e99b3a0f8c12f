using System.Text.Json;
using Farm.Cli.Tests.Support;

namespace Farm.Cli.Tests.EndToEnd;

/// <summary>Farm's own engine as the model of a judge.</summary>
public sealed class EngineJudgeTests(TinyModels models) : IClassFixture<TinyModels>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Judge(string name, string yaml, string prompt = "<|im_start|>user\n{instruction}|{output_1}|{output_2}<|im_end|>")
    {
        _folder.Write($"{name}/prompt.txt", prompt);
        _folder.Write($"{name}/configs.yaml", yaml);
        return _folder.File(name);
    }

    private (JsonElement Summary, JsonElement[] Rows) Annotate(string judge, params string[] more)
    {
        string input = _folder.Write("pairs.json", """[{"instruction":"Say a.","output_1":"a","output_2":"b"},{"instruction":"Say c.","output_1":"d","output_2":"c"}]""");
        string output = _folder.File("out.json");
        var result = FarmProcess.RunAsking("", ["annotate", "pairs", "--input", input, "--judge", judge, "--output", output, "--threads", "2", "--json", .. more]);
        Assert.Equal((0, ""), (result.ExitCode, result.ExitCode == 0 ? "" : result.Error));
        return (JsonElement.Parse(result.Output), [.. JsonElement.Parse(File.ReadAllText(output)).EnumerateArray()]);
    }

    [Fact]
    public void Should_keep_replies_that_say_nothing_as_typed_failures()
    {
        string judge = Judge("words", """
            words:
              prompt_template: "words/prompt.txt"
              completions_kwargs: {model_name: "gpt-4", max_tokens: 8, temperature: 1}
              completion_parser_kwargs: {outputs_to_match: {1: 'Output \(a\)', 2: 'Output \(b\)'}}
            """);
        var (summary, rows) = Annotate(judge, "--judge-model", models.Decoder, "--dtype", "f32", "--seed", "3");
        Assert.Equal(0, summary.GetProperty("cost_usd").GetDouble());
        Assert.Equal((0, 2), (summary.GetProperty("annotated").GetInt32(), summary.GetProperty("failures").GetProperty("no_match").GetInt32()));
        Assert.All(rows, r =>
        {
            Assert.Equal((JsonValueKind.Null, "no_match"), (r.GetProperty("preference").ValueKind, r.GetProperty("preference_failure").GetString()));
            Assert.NotEmpty(r.GetProperty("preference_raw_completion").GetString()!);
        });

        // The same seed says the same, and nothing is sampled twice once it is journaled.
        string before = File.ReadAllText(_folder.File("out.json"));
        Assert.Equal(2, Annotate(judge, "--judge-model", models.Decoder, "--dtype", "f32", "--seed", "3").Summary.GetProperty("from_journal").GetInt32());
        Assert.Equal(before, File.ReadAllText(_folder.File("out.json")));
    }

    [Fact]
    public void Should_weigh_the_probabilities_of_the_tokens_that_stand_for_the_outputs()
    {
        // The tokenizer has bytes alone, so each of the two letters is a token, and 258 of them are the whole vocabulary.
        string judge = Judge("letters", """
            letters:
              prompt_template: "letters/prompt.txt"
              completions_kwargs: {model_name: "gpt-4", max_tokens: 1, temperature: 1, logprobs: true, top_logprobs: 258}
              fn_completion_parser: "logprob_parser"
              completion_key: "completions_all"
              completion_parser_kwargs: {numerator_token: "m", denominator_tokens: ["m", "M"], is_binarize: false}
            """);
        var (summary, rows) = Annotate(judge, "--judge-model", models.Decoder, "--dtype", "f32");
        Assert.Equal(2, summary.GetProperty("annotated").GetInt32());
        Assert.All(rows, r => Assert.InRange(r.GetProperty("preference").GetDouble(), 1.0001, 1.9999));
    }

    [Fact]
    public void Should_say_what_is_no_model_and_what_does_not_fit()
    {
        string judge = Judge("words", """
            words:
              prompt_template: "words/prompt.txt"
              completions_kwargs: {model_name: "gpt-4", max_tokens: 8}
              completion_parser_kwargs: {outputs_to_match: {1: 'a', 2: 'b'}}
            """);
        string input = _folder.Write("long.json", JsonSerializer.Serialize(new[] { new { instruction = new string('x', 600), output_1 = "a", output_2 = "b" } }));
        var refused = FarmProcess.RunAsking("", "annotate", "pairs", "--input", input, "--judge", judge, "--output", _folder.File("o.json"), "--judge-model", _folder.File("nowhere"));
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("nowhere", refused.Error, StringComparison.Ordinal);
        var result = FarmProcess.RunAsking("", "annotate", "pairs", "--input", input, "--judge", judge, "--output", _folder.File("o.json"), "--judge-model", models.Decoder, "--dtype", "f32", "--json");
        Assert.Equal(1, JsonElement.Parse(result.Output).GetProperty("failures").GetProperty("bad_request").GetInt32());
    }
}
