using System.Globalization;
using System.Text.Json;
using Spectre.Console;

namespace Farm.Cli.Output;

/// <summary>What best-of-n gained, over all rows of the result, earlier runs' included.</summary>
internal sealed class BestOfNSummary
{
    private const int ShownRows = 40, InstructionWidth = 60;
    private readonly List<(string Instruction, double Best, double Mean, int Samples, long Tokens)> _rows;

    private BestOfNSummary(List<(string Instruction, double Best, double Mean, int Samples, long Tokens)> rows) => _rows = rows;

    /// <summary>Reads the rows.</summary>
    public static BestOfNSummary Of(IEnumerable<JsonElement> rows) => new([.. rows.Select(row =>
    {
        var samples = row.GetProperty("samples").EnumerateArray().ToList();
        double[] scores = [.. samples.Select(s => s.GetProperty("score").GetDouble())];
        return (row.GetProperty("instruction").GetString()!, scores.Max(), scores.Average(), scores.Length, samples.Sum(s => s.GetProperty("num_tokens").GetInt64()));
    })]);

    /// <summary>Writes the fields into an open JSON object.</summary>
    public void WriteFields(Utf8JsonWriter writer)
    {
        writer.WriteNumber("prompts", _rows.Count);
        writer.WriteNumber("samples", _rows.Sum(r => r.Samples));
        writer.WriteNumber("mean_best_score", _rows.Average(r => r.Best));
        writer.WriteNumber("mean_score", _rows.Average(r => r.Mean));
    }

    /// <summary>Prints the rows, as many as a reader wants to see, and their mean.</summary>
    public void PrintTable()
    {
        var table = new Table().Border(TableBorder.Simple);
        table.AddColumn("#");
        table.AddColumn("instruction");
        foreach (string name in (string[])["best", "mean", "n", "tokens"])
        {
            table.AddColumn(new TableColumn(name).RightAligned());
        }

        foreach (var (row, i) in _rows.Take(ShownRows).Select((r, i) => (r, i + 1)))
        {
            table.AddRow(Cells(i.ToString(CultureInfo.InvariantCulture), Shorten(row.Instruction), row.Best, row.Mean, row.Samples, row.Tokens));
        }

        if (_rows.Count > ShownRows)
        {
            table.AddRow(new Text("…"), new Text($"{_rows.Count - ShownRows} more"));
        }

        table.AddEmptyRow();
        table.AddRow(Cells("", "mean", _rows.Average(r => r.Best), _rows.Average(r => r.Mean), _rows.Sum(r => r.Samples), _rows.Sum(r => r.Tokens)));
        AnsiConsole.Write(table);
    }

    private static Text[] Cells(string number, string instruction, double best, double mean, long samples, long tokens) =>
    [
        new(number), new(instruction),
        new(best.ToString("F3", CultureInfo.InvariantCulture)), new(mean.ToString("F3", CultureInfo.InvariantCulture)),
        new(samples.ToString(CultureInfo.InvariantCulture)), new(tokens.ToString(CultureInfo.InvariantCulture)),
    ];

    private static string Shorten(string text)
    {
        string line = text.ReplaceLineEndings(" ");
        return line.Length <= InstructionWidth ? line : line[..(InstructionWidth - 1)] + "…";
    }
}
