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
        foreach (var (name, count) in new[] { ("sft", 24000), ("preference", 24000), ("unlabeled", 4000), ("val", 500) })
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

    [Fact]
    public void Should_run_best_of_16_on_the_embedded_models_without_arguments()
    {
        var result = FarmProcess.Run("best-of-n", "--max-instances", "40", "--json");
        Assert.Equal(0, result.ExitCode);
        var gain = JsonDocument.Parse(result.Output).RootElement;
        Assert.Equal(40, gain.GetProperty("prompts").GetInt32());
        Assert.InRange(gain.GetProperty("gold_single").GetDouble(), 0.35, 0.75);
        Assert.True(gain.GetProperty("gold_best").GetDouble() > gain.GetProperty("gold_single").GetDouble());
    }

    [Fact]
    public void Should_let_simulated_judges_compare_samples()
    {
        string input = _folder.Write("in.json", """
            [{"instruction":"Name two fruits.","input":null,"output":["Pear and plum.","Zzz.","Pear."]},{"instruction":"Name two animals.","output":["Same.","Same."]}]
            """);
        string output = _folder.File("pairs.json");
        var result = FarmProcess.Run("pocket", "prefer", "--input", input, "--output", output, "--judge", "gold", "--pairs-per-row", "3");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("3 preferences by gold on 2 rows", result.Output, StringComparison.Ordinal);
        foreach (var row in InstructionFile.Read(output))
        {
            string first = row.Fields.GetProperty("output_1").GetString()!, second = row.Fields.GetProperty("output_2").GetString()!;
            int preference = row.Fields.GetProperty("preference").GetInt32();
            Assert.True(preference == 1 ? second != "Pear and plum." : first != "Pear and plum.", $"{first} | {second} | {preference}");
        }
    }

    [Theory]
    [InlineData("[{\"instruction\":\"Name two fruits.\",\"output\":[\"a\",\"a\"]}]", "pool", "1", "no row has two different outputs")]
    [InlineData("[{\"instruction\":\"Write a poem.\",\"output\":[\"a\",\"b\"]}]", "pool", "1", "row 1, field 'instruction'")]
    [InlineData("[{\"instruction\":\"Name two fruits.\",\"output\":[\"a\",\"b\"]}]", "14", "1", "from 1 to 13, not '14'")]
    [InlineData("[{\"instruction\":\"Name two fruits.\",\"output\":[\"a\",\"b\"]}]", "pool", "0", "at least 1, not 0")]
    public void Should_refuse_what_cannot_be_compared(string rows, string judge, string pairs, string says)
    {
        string output = _folder.File("none.json");
        var result = FarmProcess.Run("pocket", "prefer", "--input", _folder.Write("in.json", rows), "--output", output, "--judge", judge, "--pairs-per-row", pairs);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(says, result.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(output));
    }
}
