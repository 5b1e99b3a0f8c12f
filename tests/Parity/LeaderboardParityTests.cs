using Farm.Annotation.Metrics;

namespace Parity;

/// <summary>Published annotations, scored again, against the published leaderboards.</summary>
public class LeaderboardParityTests
{
    private const double Tolerance = 1e-8;

    [Theory]
    [InlineData("alpaca_eval_gpt4", "data_AlpacaEval/alpaca_eval_gpt4_leaderboard.csv")]
    [InlineData("alpaca_eval_cot_gpt4_turbo_fn", "data_AlpacaEval_2/alpaca_eval_cot_gpt4_turbo_fn_leaderboard.csv")]
    [InlineData("weighted_alpaca_eval_gpt4_turbo", "data_AlpacaEval_2/weighted_alpaca_eval_gpt4_turbo_leaderboard.csv")]
    public void Should_reproduce_the_published_leaderboard(string judge, string leaderboard)
    {
        string folder = Shared.Path("data", "alpaca_eval", "results", "alpaca-7b");
        var model = Assert.Single(ModelAnnotations.Read(Path.Combine(folder, judge, "annotations.json")));
        Assert.Equal("alpaca-7b", model.Name);
        long? length = ModelScore.AverageLength(model, Path.Combine(folder, "model_outputs.json"));
        Assert.Equal(length, ModelScore.AverageLength(model));
        var row = ModelScore.Row(model, "minimal", length);
        var published = LeaderboardTable.Read(Shared.Path(["data", "alpaca_eval", "leaderboards", .. leaderboard.Split('/')]))["alpaca-7b"]!;
        foreach (string column in (string[])["win_rate", "standard_error", "n_wins", "n_wins_base", "n_draws", "n_total", "discrete_win_rate"])
        {
            Assert.Equal(published.Number(column)!.Value, row.Number(column)!.Value, Tolerance);
        }

        Assert.Equal(published.Number("avg_length"), row.Number("avg_length"));
    }

    [Fact]
    public void Should_write_published_leaderboards_as_they_are()
    {
        string[] files = Directory.GetFiles(Shared.Path("data", "alpaca_eval", "leaderboards"), "*.csv", SearchOption.AllDirectories);
        Assert.NotEmpty(files);
        Assert.All(files, f => Assert.Equal(File.ReadAllText(f), LeaderboardTable.Read(f).ToCsv()));
    }

    [Fact]
    public void Should_write_published_floats_as_Python_does()
    {
        int floats = 0;
        foreach (string file in Directory.GetFiles(Shared.Path("data", "alpaca_eval", "leaderboards"), "*.csv", SearchOption.AllDirectories))
        {
            var table = LeaderboardTable.Read(file);
            foreach (var (row, column) in table.Rows.SelectMany(r => table.Columns.Select(c => (r, c))))
            {
                if (row.Number(column) is { } value && row.Cells[column].Contains('.', StringComparison.Ordinal))
                {
                    Assert.Equal(row.Cells[column], PythonFloat.Format(value));
                    floats++;
                }
            }
        }

        Assert.True(floats > 1000);
    }
}
