using System.Text.Json;
using Farm.Cli.Tests.Support;

namespace Farm.Cli.Tests.EndToEnd;

public sealed class OtherVerbsTests(TinyModels models) : IClassFixture<TinyModels>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Should_tokenize_as_JSON_and_plainly()
    {
        var json = JsonDocument.Parse(FarmProcess.Run("tokenize", "--model", models.Decoder, "--text", "hé", "--json").Output).RootElement;
        Assert.Equal([256, 'h', 0xC3, 0xA9], json.GetProperty("ids").EnumerateArray().Select(e => e.GetInt32()));
        Assert.Equal("hé", json.GetProperty("text").GetString());

        Assert.Equal("104 195 169\n", FarmProcess.Run("tokenize", "--model", models.Decoder, "--text", "hé", "--no-special-tokens").Output);
    }

    [Fact]
    public void Should_say_what_the_machine_can_do()
    {
        var result = FarmProcess.Run("doctor", "--json");

        Assert.Equal(0, result.ExitCode);
        var report = JsonDocument.Parse(result.Output).RootElement;
        Assert.True(report.GetProperty("read_gigabytes_per_second").GetDouble() > 0);
        Assert.True(report.GetProperty("fma_gigaflops").GetDouble() > 0);
        Assert.NotEmpty(report.GetProperty("kernels").GetString()!);
        Assert.NotEmpty(report.GetProperty("cuda").GetString()!);
    }

    [Theory]
    [InlineData("f32")]
    [InlineData("bf16")]
    [InlineData("int8")]
    public void Should_measure_sampling_with_what_other_tools_read(string dtype)
    {
        var result = FarmProcess.Run(
            "bench", "sample", "--model", models.WithoutTokenizer, "--dtype", dtype, "-n", "4", "--prompt-tokens", "16", "--new-tokens", "8", "--threads", "2", "--repeat", "1", "--json");

        Assert.Equal(0, result.ExitCode);
        var report = JsonDocument.Parse(result.Output).RootElement;
        foreach (string field in new[]
        {
            "prefill_tokens_per_second", "decode_tokens_per_second", "roofline_decode_tokens_per_second", "roofline_fraction", "peak_rss_bytes",
        })
        {
            Assert.True(report.GetProperty(field).GetDouble() > 0, field);
        }

        double Number(string field) => report.GetProperty(field).GetDouble();
        Assert.Equal(Number("decode_tokens_per_second") / Number("roofline_decode_tokens_per_second"), Number("roofline_fraction"), 0.01 * Math.Max(1, Number("roofline_fraction")));
    }

    [Fact]
    public void Should_set_no_roofline_beside_decoding_that_did_not_happen()
    {
        string[] command = ["bench", "sample", "--model", models.WithoutTokenizer, "-n", "4", "--prompt-tokens", "16", "--new-tokens", "1", "--threads", "2", "--repeat", "1"];
        var report = JsonDocument.Parse(FarmProcess.Run([.. command, "--json"]).Output).RootElement;
        Assert.False(report.TryGetProperty("roofline_fraction", out _));
        Assert.False(report.TryGetProperty("roofline_decode_tokens_per_second", out _));
        Assert.True(report.GetProperty("roofline_prefill_fraction").GetDouble() > 0);

        string[] lines = FarmProcess.Run(command).Output.Split('\n');
        Assert.Contains("of the roofline", Assert.Single(lines, l => l.StartsWith("prefill", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.DoesNotContain("roofline", Assert.Single(lines, l => l.StartsWith("decode", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public void Should_not_overwrite_a_folder_with_a_random_model()
    {
        var result = FarmProcess.Run("bench", "make-model", "--shape", "tiny", "--output", models.Decoder);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains("is there already", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_score_one_output_with_one_number_and_keep_the_row()
    {
        string input = _folder.Write("in.json", """[{"instruction":"a","input":null,"output":"x","generator":"g"},{"instruction":"a","output":["x","y"]}]""");
        string output = _folder.File("out.json");
        var result = FarmProcess.Run("score", "--model", models.Scorer, "--input", input, "--output", output, "--dtype", "f32", "--json");

        Assert.Equal(0, result.ExitCode);
        var rows = JsonDocument.Parse(File.ReadAllText(output)).RootElement;
        Assert.Equal(["instruction", "input", "output", "generator", "reward", "scorer_name_or_path"], rows[0].EnumerateObject().Select(p => p.Name));
        Assert.Equal(rows[0].GetProperty("reward").GetDouble(), rows[1].GetProperty("reward")[0].GetDouble());
        Assert.Equal(2, rows[1].GetProperty("reward").GetArrayLength());
        Assert.Equal(3, JsonDocument.Parse(result.Output).RootElement.GetProperty("outputs").GetInt32());
    }

    [Fact]
    public void Should_show_help_and_version()
    {
        var help = FarmProcess.Run("best-of-n", "--help");
        Assert.Equal(0, help.ExitCode);
        foreach (string flag in new[] { "--decoder", "--scorer", "--batch-sequences", "--score-text", "--resume", "--prompt-dict", "--chat", "--json" })
        {
            Assert.Contains(flag, help.Output, StringComparison.Ordinal);
        }

        Assert.Matches(@"^\d+\.\d+\.\d+\n$", FarmProcess.Run("--version").Output);
    }
}
