using System.Text.Json;
using Farm.Cli.Tests.Support;

namespace Farm.Cli.Tests.EndToEnd;

/// <summary>The verbs that sample, score and judge, on the simulated GPU and on the CPU in float32: the same texts, and rewards but for the order of sums.</summary>
public sealed class SimulatedVerbsTests(TinyModels models) : IClassFixture<TinyModels>, IDisposable
{
    private const double Close = 1e-3;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Best_of_n_should_take_and_rank_the_same() => Compare(
        "best-of-n", "--decoder", models.Decoder, "--scorer", models.Scorer, "--input", Rows.Write(_folder, 2), "--prompt-dict", Templates(), "-n", "3", "--max-new-tokens", "5", "--temperature", "0");

    [Fact]
    public void Score_should_give_the_same_rewards() =>
        Compare("score", "--model", models.Scorer, "--input", Rows.Write(_folder, 3), "--prompt-dict", Templates());

    [Fact]
    public void Rerank_should_name_the_same_winners() => Compare(
        "rerank", "--scorer", models.Scorer, "--prompt-dict", Templates(), "--input",
        _folder.Write("lists.json", """[{"instruction":"Say a.","input":"","output":["a","b","cd"]},{"instruction":"Say c.","input":"x","output":["d","c","e"]}]"""));

    [Theory]
    [InlineData("pairs", "--input")]
    [InlineData("samples", "--input")]
    [InlineData("head2head", "--reference", "--outputs")]
    public void A_judge_of_ones_own_should_say_the_same(string verb, params string[] files) =>
        Compare(["annotate", verb, .. Inputs(verb, files), "--judge", Judge(), "--judge-model", models.Decoder, "--seed", "3"]);

    [Fact]
    public void Evaluate_should_come_to_the_same_line()
    {
        string[] command = ["evaluate", .. Inputs("head2head", ["--reference", "--outputs"]), "--judge", Judge(), "--judge-model", models.Decoder, "--name", "m", "--dtype", "f32", "--json"];
        var lines = Devices.Both.Select(d => JsonElement.Parse(Devices.Run(d, [.. command, "--output", _folder.File(d)]).Output)).ToArray();
        Assert.True(lines[0].GetProperty("win_rate").GetDouble() is > 0 and < 100);
        Devices.Same(lines[0], lines[1], Close);
        Devices.Same(Read("cpu/annotations.json"), Read("cuda-sim/annotations.json"), Close, Changing);
    }

    private static string[] Changing => ["preference_time_per_example", "preference_date"];

    private void Compare(params string[] command)
    {
        foreach (string device in Devices.Both)
        {
            Devices.Run(device, [.. command, "--dtype", "f32", "--output", _folder.File(device + ".json")]);
        }

        var want = Read("cpu.json");
        Assert.NotEqual(0, want.GetArrayLength());
        Devices.Same(want, Read("cuda-sim.json"), Close, Changing);
    }

    private JsonElement Read(string file) => JsonElement.Parse(File.ReadAllText(_folder.File(file)));

    private IEnumerable<string> Inputs(string verb, string[] flags) => verb switch
    {
        "pairs" => [flags[0], _folder.Write("pairs.json", """[{"instruction":"Say a.","output_1":"a","output_2":"b"},{"instruction":"Say c.","output_1":"d","output_2":"c"}]""")],
        "samples" => [flags[0], _folder.Write("samples.json", """[{"instruction":"Say a.","output":["a","b"]},{"instruction":"Say c.","output":["d","c"]}]""")],
        _ => flags.SelectMany((flag, i) => new[]
        {
            flag, _folder.Write($"outputs{i}.json", JsonSerializer.Serialize(new[] { new { instruction = "Say a.", output = $"a{i}", generator = $"g{i}" }, new { instruction = "Say c.", output = $"{i}c", generator = $"g{i}" } })),
        }),
    };

    // The tokenizer has bytes alone, so each of the two letters is a token, and 258 of them are the whole vocabulary.
    private string Judge()
    {
        _folder.Write("letters/prompt.txt", "<|im_start|>user\n{instruction}|{output_1}|{output_2}<|im_end|>");
        _folder.Write("letters/configs.yaml", """
            letters:
              prompt_template: "letters/prompt.txt"
              completions_kwargs: {model_name: "gpt-4", max_tokens: 1, temperature: 1, logprobs: true, top_logprobs: 258}
              fn_completion_parser: "logprob_parser"
              completion_key: "completions_all"
              completion_parser_kwargs: {numerator_token: "m", denominator_tokens: ["m", "M"], is_binarize: false}
            """);
        return _folder.File("letters");
    }

    // Prompts of a few bytes: the simulator is slow.
    private string Templates() => _folder.Write("templates.json", """{"prompt_inputs": "{instruction} {input}:", "prompt_noinputs": "{instruction}:"}""");
}
