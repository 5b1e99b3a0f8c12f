using System.Text.Json;
using Farm.Cli.Tests.Support;

namespace Farm.Cli.Tests.EndToEnd;

public sealed class BestOfNTests(TinyModels models) : IClassFixture<TinyModels>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Should_write_the_winner_and_every_sample_with_its_score_and_rank()
    {
        string input = Rows.Write(_folder, 3), output = _folder.File("out.json");
        var result = Run(input, output, "-n", "4", "--json");

        Assert.Equal(0, result.ExitCode);
        var rows = JsonDocument.Parse(File.ReadAllText(output)).RootElement;
        Assert.Equal(
            ["instruction", "input", "output", "decoder_name_or_path", "scorer_name_or_path", "sample_mode", "samples", "dataset"],
            rows[0].EnumerateObject().Select(p => p.Name));
        Assert.Equal("best_of_n_temperature=1.0,max_new_tokens=6,seed=0", rows[0].GetProperty("sample_mode").GetString());
        foreach (var row in rows.EnumerateArray())
        {
            var samples = row.GetProperty("samples").EnumerateArray().ToList();
            Assert.Equal(["text", "score", "rank", "num_tokens", "finish_reason", "logprob_sum"], samples[0].EnumerateObject().Select(p => p.Name));
            Assert.Equal([1, 2, 3, 4], samples.Select(s => s.GetProperty("rank").GetInt32()).Order());
            var ranked = samples.OrderBy(s => s.GetProperty("rank").GetInt32()).ToList();
            double[] scores = [.. ranked.Select(s => s.GetProperty("score").GetDouble())];
            Assert.Equal(scores.OrderDescending(), scores);
            Assert.Equal(ranked[0].GetProperty("text").GetString(), row.GetProperty("output").GetString());
        }

        var summary = Assert.Single(DecodeTests.Lines(result.Output));
        Assert.Equal(3, summary.GetProperty("prompts").GetInt32());
        Assert.Equal(12, summary.GetProperty("samples").GetInt32());
        Assert.True(summary.GetProperty("decode_tokens_per_second").GetDouble() > 0);
        Assert.True(summary.GetProperty("roofline_fraction").GetDouble() > 0);
        Assert.True(summary.GetProperty("peak_rss_bytes").GetInt64() > 1 << 20);
        Assert.True(summary.GetProperty("mean_best_score").GetDouble() > summary.GetProperty("mean_score").GetDouble());
    }

    [Fact]
    public void Should_not_depend_on_the_width_of_the_batch_or_on_threads()
    {
        string input = Rows.Write(_folder, 4);
        Assert.Equal(0, Run(input, _folder.File("a.json"), "-n", "3", "--batch-sequences", "1", "--threads", "1").ExitCode);
        Assert.Equal(0, Run(input, _folder.File("b.json"), "-n", "3", "--batch-sequences", "7", "--threads", "2").ExitCode);

        Assert.Equal(File.ReadAllBytes(_folder.File("a.json")), File.ReadAllBytes(_folder.File("b.json")));
    }

    [Fact]
    public void Should_print_a_table_where_no_JSON_is_asked_for()
    {
        var result = Run(Rows.Write(_folder, 2), _folder.File("out.json"), "-n", "2");

        Assert.Equal(0, result.ExitCode);
        Assert.Contains("Say number 1", result.Output, StringComparison.Ordinal);
        Assert.Contains("roofline", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("\u001b[", result.Output, StringComparison.Ordinal);
        Assert.Contains("2/2 prompts", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_agree_with_decode_then_rerank_and_with_score_on_the_text_path()
    {
        string input = Rows.Write(_folder, 2);
        string best = _folder.File("best.json"), decoded = _folder.File("decoded.json"), ranked = _folder.File("ranked.json"), scored = _folder.File("scored.json");
        Assert.Equal(0, Run(input, best, "-n", "3", "--score-text").ExitCode);
        Assert.Equal(0, FarmProcess.Run("decode", "--model", models.Decoder, "--input", input, "--output", decoded, "-n", "3", "--max-new-tokens", "6", "--dtype", "f32").ExitCode);
        Assert.Equal(0, FarmProcess.Run("rerank", "--scorer", models.Scorer, "--input", decoded, "--output", ranked, "--dtype", "f32", "--rerank-top-k", "2").ExitCode);
        Assert.Equal(0, FarmProcess.Run("score", "--model", models.Scorer, "--input", decoded, "--output", scored, "--dtype", "f32").ExitCode);

        var rows = new[] { best, decoded, ranked, scored }.Select(p => JsonDocument.Parse(File.ReadAllText(p)).RootElement).ToArray();
        for (int i = 0; i < 2; i++)
        {
            var (b, d, r, s) = (rows[0][i], rows[1][i], rows[2][i], rows[3][i]);
            Assert.Equal(d.GetProperty("output").GetRawText(), r.GetProperty("output").GetRawText());
            Assert.Equal(
                ["instruction", "input", "output", "top_sequence", "top_index", "scorer_name_or_path", "scores"],
                r.EnumerateObject().Select(p => p.Name).Take(7));
            double[] scores = Doubles(r.GetProperty("scores"));
            Assert.Equal(Doubles(s.GetProperty("reward")), scores);
            int[] top = [.. r.GetProperty("top_index").EnumerateArray().Select(e => e.GetInt32())];
            Assert.Equal(Enumerable.Range(0, 3).OrderByDescending(k => scores[k]).Take(2), top);
            Assert.Equal(d.GetProperty("prompt").GetString() + d.GetProperty("output")[top[0]].GetString(), r.GetProperty("top_sequence")[0].GetString());
            string[] texts = [.. b.GetProperty("samples").EnumerateArray().Select(e => e.GetProperty("text").GetString()!)];
            Assert.Equal(d.GetProperty("output").EnumerateArray().Select(e => e.GetString()), texts);
        }
    }

    private static double[] Doubles(JsonElement list) => [.. list.EnumerateArray().Select(e => e.GetDouble())];

    private FarmResult Run(string input, string output, params string[] flags) => FarmProcess.Run(
        ["best-of-n", "--decoder", models.Decoder, "--scorer", models.Scorer, "--input", input, "--output", output, "--max-new-tokens", "6", "--dtype", "f32", .. flags.Contains("--threads") ? flags : [.. flags, "--threads", "1"]]);
}
