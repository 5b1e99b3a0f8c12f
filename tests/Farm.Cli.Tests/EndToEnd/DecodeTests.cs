using System.Text.Json;
using Farm.Cli.Tests.Support;

namespace Farm.Cli.Tests.EndToEnd;

public sealed class DecodeTests(TinyModels models) : IClassFixture<TinyModels>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Should_print_each_sample_as_a_line_of_JSON_and_nothing_else()
    {
        var result = FarmProcess.Run(
            "decode", "--model", models.Decoder, "--prompt", "Hello", "--prompt", "Ünï", "-n", "3", "--max-new-tokens", "5", "--dtype", "f32", "--json");

        Assert.Equal(0, result.ExitCode);
        var lines = Lines(result.Output);
        Assert.Equal([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)], lines.Select(l => (Int(l, "prompt_index"), Int(l, "sample_index"))));
        foreach (var line in lines)
        {
            Assert.Equal(
                ["prompt_index", "sample_index", "token_ids", "text", "finish_reason", "logprob_sum", "logprobs"],
                line.EnumerateObject().Select(p => p.Name));
            var logProbs = line.GetProperty("logprobs").EnumerateArray().Select(e => e.GetDouble()).ToList();
            Assert.Equal(line.GetProperty("token_ids").GetArrayLength(), logProbs.Count);
            Assert.All(logProbs, p => Assert.True(p < 0));
            Assert.Equal(logProbs.Sum(), line.GetProperty("logprob_sum").GetDouble(), 1e-4);
            Assert.NotNull(line.GetProperty("text").GetString());
            Assert.Matches("^(length|eos)$", line.GetProperty("finish_reason").GetString());
        }
    }

    [Fact]
    public void Should_draw_the_same_samples_for_any_n_and_others_for_another_seed()
    {
        string[] one = Samples("-n", "1"), four = Samples("-n", "4"), other = Samples("-n", "1", "--seed", "1");

        Assert.Equal(one[0], four[0]);
        Assert.NotEqual(one[0], other[0]);
        Assert.Equal(4, four.Distinct().Count());

        string[] Samples(params string[] flags) =>
        [
            .. Lines(FarmProcess.Run(["decode", "--model", models.Decoder, "--prompt", "Hello", "--max-new-tokens", "12", "--dtype", "f32", "--threads", "1", "--json", .. flags]).Output)
                .Select(l => l.GetProperty("token_ids").GetRawText()),
        ];
    }

    [Fact]
    public void Should_take_ids_where_the_folder_has_no_tokenizer()
    {
        var result = FarmProcess.Run(
            "decode", "--model", models.WithoutTokenizer, "--prompt-ids", "1,2,3", "--temperature", "0", "--max-new-tokens", "4", "--dtype", "f32", "--json");

        Assert.Equal(0, result.ExitCode);
        var line = Assert.Single(Lines(result.Output));
        Assert.Equal(JsonValueKind.Null, line.GetProperty("text").ValueKind);
        Assert.Equal(4, line.GetProperty("token_ids").GetArrayLength());
    }

    [Fact]
    public void Should_print_the_top_logits_of_which_the_first_is_the_greedy_token()
    {
        string[] common = ["decode", "--model", models.WithoutTokenizer, "--prompt-ids", "1,2,3", "--dtype", "f32", "--json"];
        var top = Assert.Single(Lines(FarmProcess.Run([.. common, "--top-logits", "5"]).Output)).GetProperty("top_logits").EnumerateArray().ToList();
        var greedy = Assert.Single(Lines(FarmProcess.Run([.. common, "--temperature", "0", "--max-new-tokens", "1"]).Output));

        Assert.Equal(5, top.Count);
        double[] logits = [.. top.Select(t => t.GetProperty("logit").GetDouble())];
        Assert.Equal(logits.OrderDescending(), logits);
        Assert.Equal(greedy.GetProperty("token_ids")[0].GetInt32(), Int(top[0], "id"));
    }

    [Fact]
    public void Should_write_AlpacaFarms_rows()
    {
        string input = Rows.Write(_folder, 3), output = _folder.File("new folder/out.json");
        var result = FarmProcess.Run(
            "decode", "--model", models.Decoder, "--input", input, "-n", "2", "--max-new-tokens", "4", "--temperature", "0.7", "--seed", "3", "--dtype", "f32", "--output", output);

        Assert.Equal(0, result.ExitCode);
        Assert.Empty(result.Output);
        string text = File.ReadAllText(output);
        Assert.StartsWith("[\n    {\n        \"instruction\": \"Say number 0 – ünï\",\n        \"input\": \"in 0\",\n        \"output\": [\n            \"", text, StringComparison.Ordinal);
        var rows = JsonDocument.Parse(text).RootElement;
        Assert.Equal(3, rows.GetArrayLength());
        Assert.Equal(
            ["instruction", "input", "output", "prompt", "decoder_name_or_path", "sample_mode", "samples", "dataset"],
            rows[1].EnumerateObject().Select(p => p.Name));
        Assert.Equal("temperature=0.7,max_new_tokens=4,seed=3", rows[0].GetProperty("sample_mode").GetString());
        Assert.Equal(models.Decoder, rows[0].GetProperty("decoder_name_or_path").GetString());
        Assert.EndsWith("### Input:\nin 0\n\n### Response:", rows[0].GetProperty("prompt").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("### Input:", rows[1].GetProperty("prompt").GetString(), StringComparison.Ordinal);
        var sample = rows[0].GetProperty("samples")[1];
        Assert.Equal(["text", "num_tokens", "finish_reason", "logprob_sum"], sample.EnumerateObject().Select(p => p.Name));
        Assert.Equal(rows[0].GetProperty("output")[1].GetString(), sample.GetProperty("text").GetString());
    }

    [Fact]
    public void Should_write_one_output_as_a_text_and_only_max_instances_rows()
    {
        string input = Rows.Write(_folder, 3), output = _folder.File("out.json");
        var result = FarmProcess.Run(
            "decode", "--model", models.Decoder, "--input", input, "--max-new-tokens", "2", "--max-instances", "1", "--dtype", "f32", "--output", output);

        Assert.Equal(0, result.ExitCode);
        var row = Assert.Single(JsonDocument.Parse(File.ReadAllText(output)).RootElement.EnumerateArray());
        Assert.Equal(JsonValueKind.String, row.GetProperty("output").ValueKind);
    }

    [Fact]
    public void Should_use_the_templates_or_the_chat_format_asked_for()
    {
        string input = Rows.Write(_folder, 1), templates = _folder.Write("dict.json", """{"prompt_noinputs":"Q {instruction}","prompt_inputs":"Q {instruction} I {input} A"}""");

        Assert.Equal("Q Say number 0 – ünï I in 0 A", Prompt("--prompt-dict", templates));
        Assert.Equal("<|im_start|>user\nSay number 0 – ünï\n\nin 0<|im_end|>\n<|im_start|>assistant\n", Prompt("--chat", "chatml"));

        string? Prompt(params string[] flags)
        {
            string output = _folder.File("out.json");
            Assert.Equal(0, FarmProcess.Run(["decode", "--model", models.Decoder, "--input", input, "--output", output, "--max-new-tokens", "1", "--dtype", "f32", .. flags]).ExitCode);
            return JsonDocument.Parse(File.ReadAllText(output)).RootElement[0].GetProperty("prompt").GetString();
        }
    }

    internal static List<JsonElement> Lines(string output) =>
        [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement)];

    private static int Int(JsonElement element, string name) => element.GetProperty(name).GetInt32();
}
