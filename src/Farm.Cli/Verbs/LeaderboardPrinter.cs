using System.Globalization;
using Farm.Annotation.Metrics;
using Spectre.Console;

namespace Farm.Cli.Verbs;

/// <summary>Prints leaderboards as AlpacaEval does: few columns, two decimals.</summary>
internal static class LeaderboardPrinter
{
    private static readonly string[] Standard = ["win_rate", "standard_error", "n_total", "avg_length"];

    /// <summary>Prints the rows of a mode and those of the models that were just scored.</summary>
    public static void Print(LeaderboardTable table, string mode, IReadOnlyCollection<string> current, string sortBy) => Write(
        [.. Standard.Prepend(sortBy).Distinct().Where(table.Columns.Contains)],
        table.Rows.Where(r => current.Contains(r.Name) || LeaderboardModes.Shows(mode, r.Cells.GetValueOrDefault("mode"))));

    /// <summary>Prints all rows and all columns.</summary>
    public static void Print(LeaderboardTable table) => Write([.. table.Columns], table.Rows);

    private static void Write(string[] columns, IEnumerable<LeaderboardRow> rows)
    {
        var output = new Table().Border(TableBorder.Simple);
        output.AddColumn("");
        foreach (string column in columns)
        {
            output.AddColumn(new TableColumn(Markup.Escape(column)).RightAligned());
        }

        foreach (var row in rows)
        {
            output.AddRow([new Text(row.Name), .. columns.Select(c => new Text(Cell(row, c)))]);
        }

        AnsiConsole.Write(output);
    }

    private static string Cell(LeaderboardRow row, string column)
    {
        string text = row.Cells.GetValueOrDefault(column, "");
        return text.AsSpan().IndexOfAny('.', 'e') >= 0 && row.Number(column) is { } value ? value.ToString("0.00", CultureInfo.InvariantCulture) : text;
    }
}
