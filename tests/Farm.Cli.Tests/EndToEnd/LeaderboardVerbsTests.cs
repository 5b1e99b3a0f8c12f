using System.Text.Json;
using Farm.Cli.Tests.Support;

namespace Farm.Cli.Tests.EndToEnd;

public sealed class LeaderboardVerbsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Write(string name, string text) => _folder.Write(name, text);

    private string Annotations() => Write("annotations.json", """
        [{"instruction": "a", "output_1": "xx", "output_2": "é😀", "generator_1": "base", "generator_2": "m", "annotator": "j", "preference": 2.0},
         {"instruction": "b", "output_1": "xxx", "output_2": "yyyy", "generator_1": "base", "generator_2": "m", "annotator": "j", "preference": 1},
         {"instruction": "c", "output_1": "z", "output_2": "z", "generator_1": "base", "generator_2": "m", "annotator": "j", "preference": 0},
         {"instruction": "d", "output_1": "u", "output_2": "v", "generator_1": "base", "generator_2": "m", "annotator": "j", "preference": null}]
        """);

    [Fact]
    public void Should_print_a_models_metrics_merge_them_and_draw_them()
    {
        string old = Write("old.csv", ",win_rate,standard_error,mode\nbetter,70.0,1.0,minimal\n"), table = _folder.File("new.csv"), page = _folder.File("page.html");
        var result = FarmProcess.Run("leaderboard", "--annotations", Annotations(), "--length-controlled", "--leaderboard", old, "--output", table, "--html", page, "--sort-by", "win_rate", "--json");
        Assert.Equal((0, ""), (result.ExitCode, result.Error.Contains("length_controlled_minimal", StringComparison.Ordinal) ? "" : result.Error));
        var row = JsonDocument.Parse(result.Output).RootElement;
        Assert.Equal(
            ("m", 50.0, 1, 1, 1, 3, 2),
            (row.GetProperty("name").GetString(), row.GetProperty("win_rate").GetDouble(), row.GetProperty("n_wins").GetInt32(), row.GetProperty("n_wins_base").GetInt32(),
                row.GetProperty("n_draws").GetInt32(), row.GetProperty("n_total").GetInt32(), row.GetProperty("avg_length").GetInt32()));
        Assert.InRange(row.GetProperty("length_controlled_winrate").GetDouble(), 0, 100);
        string[] lines = File.ReadAllLines(table);
        Assert.StartsWith(",win_rate,standard_error,mode,avg_length", lines[0], StringComparison.Ordinal);
        Assert.Equal(["better", "m"], lines[1..].Select(l => l.Split(',')[0]));
        Assert.Contains("<svg", File.ReadAllText(page), StringComparison.Ordinal);
    }

    [Fact]
    public void Should_name_the_file_the_row_and_the_field_of_a_preference_of_3_and_write_nothing()
    {
        string bad = Write("bad.json", """[{"preference": 1}, {"preference": 3}]"""), table = _folder.File("t.csv");
        var result = FarmProcess.Run("leaderboard", "--annotations", bad, "--output", table);
        Assert.Equal(2, result.ExitCode);
        Assert.StartsWith($"{bad}, row 2, field 'preference': must be", result.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(table));
    }

    [Fact]
    public void Should_analyze_judges()
    {
        var result = FarmProcess.Run("analyze", "--annotations", Annotations(), "--gold", Annotations(), "--json");
        Assert.Equal(0, result.ExitCode);
        var row = JsonDocument.Parse(result.Output).RootElement;
        Assert.Equal(("j", 100.0, 3), (row.GetProperty("name").GetString(), row.GetProperty("Human agreement").GetDouble(), row.GetProperty("# parsed").GetInt32()));
    }

    [Fact]
    public void Should_print_consistency_and_win_rates()
    {
        string ratings = Write("ratings.csv", "i,nan,x,5\r\ni,nan,y,3\r\n"), rankings = Write("rankings.csv", "i,nan,x,y,(a)\r\n"), other = Write("other.csv", "i,nan,z,6\r\n");
        var consistency = JsonDocument.Parse(FarmProcess.Run("consistency", "--ratings", ratings, "--rankings", rankings, "--json").Output).RootElement;
        Assert.Equal((100.0, 1), (consistency.GetProperty("consistency").GetDouble(), consistency.GetProperty("n_total").GetInt32()));
        var rated = JsonDocument.Parse(FarmProcess.Run("winrate", "--ratings", ratings, other, "--json").Output).RootElement;
        Assert.Equal((100.0, 1), (rated.GetProperty("win_rate").GetDouble(), rated.GetProperty("n_total").GetInt32()));
        var ranked = JsonDocument.Parse(FarmProcess.Run("winrate", "--rankings", rankings, "--json").Output).RootElement;
        Assert.Equal(0.0, ranked.GetProperty("win_rate").GetDouble());
        var both = FarmProcess.Run("winrate", "--ratings", ratings, other, "--rankings", rankings);
        Assert.Equal((2, "Give either --ratings with two files or --rankings with one.\n"), (both.ExitCode, both.Error));
    }

    [Fact]
    public void Should_make_reward_data_that_reward_modeling_reads()
    {
        string rankings = Write("rankings.csv", "i,nan,x,y,(a)\r\n"), output = _folder.File("rm.json");
        Assert.Equal(0, FarmProcess.Run("sparse-feedback", "reward-rankings", "--rankings", rankings, "--output", output).ExitCode);
        var pair = Assert.Single(Farm.Cli.Data.TrainingData.Rankings(output, null, Farm.Models.Prompts.PromptDictionary.Default));
        Assert.Equal([("x", "y")], pair.Pairs);
        string ratings = Write("ratings.csv", "i,nan,x,5\r\n");
        Assert.Equal(0, FarmProcess.Run("sparse-feedback", "reward-ratings", "--ratings", ratings, "--output", output).ExitCode);
        foreach (string file in (string[])[output, ratings])
        {
            var rating = Assert.Single(Farm.Cli.Data.TrainingData.Ratings(file, null));
            Assert.Equal(("", 5.0), (rating.Input, rating.Score));
        }
    }

    [Fact]
    public void Should_say_which_variable_holds_the_key()
    {
        string input = Write("in.csv", "instruction,input,response\ni,,x\n"), output = _folder.File("out.csv");
        using var process = FarmProcess.StartByShell("env -u OPENAI_API_KEY -u OPENAI_API_KEYS \"$@\"", "annotate", "ratings", "--input", input, "--output", output);
        var result = process.Finish();
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("OPENAI_API_KEY is not set", result.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(output));
    }
}
