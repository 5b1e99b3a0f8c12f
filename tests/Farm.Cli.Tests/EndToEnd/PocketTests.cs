using System.Text.Json;
using Farm.Cli.Data;
using Farm.Cli.Tests.Support;

namespace Farm.Cli.Tests.EndToEnd;

public sealed class PocketTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Should_export_files_that_the_reader_takes_and_score_them()
    {
        string folder = _folder.File("world");
        var export = FarmProcess.Run("pocket", "export", "--output", folder, "--seed", "5", "--json");
        Assert.Equal(0, export.ExitCode);
        var rows = JsonDocument.Parse(export.Output).RootElement.GetProperty("rows");
        foreach (var (name, count) in new[] { ("sft", 4000), ("preference", 4000), ("unlabeled", 4000), ("val", 500) })
        {
            string file = Path.Combine(folder, "alpaca_instructions", name + ".json");
            Assert.Equal(count, rows.GetProperty($"alpaca_instructions/{name}.json").GetInt32());
            var read = InstructionFile.Read(file, requireOutput: true);
            Assert.Equal(count, read.Count);
            Assert.Equal(["instruction", "input", "output"], read[0].Fields.EnumerateObject().Select(f => f.Name));
        }

        string evaluation = Path.Combine(folder, "alpaca_farm_evaluation.json");
        Assert.Equal(["instruction", "input", "output", "generator", "dataset", "datasplit"], InstructionFile.Read(evaluation, requireOutput: true)[0].Fields.EnumerateObject().Select(f => f.Name));
        var preferences = InstructionFile.Read(Path.Combine(folder, "alpaca_noisy_multi_preference.json"));
        Assert.Equal(["instruction", "input", "output_1", "output_2", "preference"], preferences[0].Fields.EnumerateObject().Select(f => f.Name));
        Assert.All(preferences, p => Assert.InRange(p.Fields.GetProperty("preference").GetInt32(), 1, 2));

        var score = FarmProcess.Run("pocket", "score", "--input", evaluation, "--json");
        Assert.Equal(0, score.ExitCode);
        var report = JsonDocument.Parse(score.Output).RootElement;
        Assert.Equal(200, report.GetProperty("outputs").GetInt32());
        Assert.InRange(report.GetProperty("mean_gold_score").GetDouble(), 0.98, 1);
        Assert.Equal(200, report.GetProperty("kinds").EnumerateObject().Sum(k => k.Value.GetProperty("outputs").GetInt32()));
    }

    [Fact]
    public void Should_score_lists_of_outputs_and_print_the_kinds()
    {
        string input = _folder.Write("in.json", """[{"instruction":"Name two fruits.","input":null,"output":["Pear and plum.","Zzz."]}]""");
        var result = FarmProcess.Run("pocket", "score", "--input", input);
        Assert.Equal(0, result.ExitCode);
        Assert.Matches(@"^2 outputs, mean gold score 0\.5\d+\n  list-members +2  0\.5\d+\n$", result.Output);
    }

    [Fact]
    public void Should_refuse_rows_of_another_world_and_a_file_for_a_folder()
    {
        string input = _folder.Write("in.json", """[{"instruction":"Name two fruits.","output":"x"},{"instruction":"Write a poem.","output":"x"}]""");
        var score = FarmProcess.Run("pocket", "score", "--input", input);
        Assert.Equal(2, score.ExitCode);
        Assert.Contains("row 2, field 'instruction'", score.Error, StringComparison.Ordinal);

        var export = FarmProcess.Run("pocket", "export", "--output", input);
        Assert.Equal(2, export.ExitCode);
        Assert.Contains("is a file, not a folder", export.Error, StringComparison.Ordinal);
    }
}
