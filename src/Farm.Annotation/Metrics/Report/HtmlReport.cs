using System.Net;
using System.Text;

namespace Farm.Annotation.Metrics.Report;

/// <summary>One HTML page that needs nothing besides itself.</summary>
public static class HtmlReport
{
    private const string Style = """
        :root { color-scheme: light dark; }
        body { font: 15px/1.5 system-ui, sans-serif; max-width: 860px; margin: 2rem auto; padding: 0 1rem; }
        table { border-collapse: collapse; font-variant-numeric: tabular-nums; display: block; overflow-x: auto; }
        th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #8884; }
        th:first-child, td:first-child { text-align: left; }
        svg { width: 100%; height: auto; }
        svg text { font-size: 12px; fill: currentColor; }
        .grid { stroke: #8885; } .bar { fill: #4a90c4; } .error { stroke: currentColor; stroke-width: 1.5; } .dot { fill: #d06a3a; }
        """;

    /// <summary>The page of a leaderboard: its table, win rates, and win rate against length.</summary>
    public static string Leaderboard(LeaderboardTable table, string title)
    {
        ArgumentNullException.ThrowIfNull(table);
        var body = new StringBuilder();
        Section(body, "Win rate", SvgChart.Bars([.. table.Rows.Select(r => (r.Name, r.Number("win_rate") ?? double.NaN, r.Number("standard_error") ?? double.NaN))], "win rate, % (± standard error)"));
        if (table.Rows.Any(r => r.Number("length_controlled_winrate") is not null))
        {
            Section(body, "Length-controlled win rate", SvgChart.Bars(
                [.. table.Rows.Select(r => (r.Name, r.Number("length_controlled_winrate") ?? double.NaN, r.Number("lc_standard_error") ?? double.NaN))], "length-controlled win rate, %"));
        }

        if (table.Rows.Any(r => r.Number("avg_length") is not null))
        {
            Section(body, "Length", SvgChart.Scatter([.. table.Rows.Select(r => (r.Name, r.Number("avg_length") ?? double.NaN, r.Number("win_rate") ?? double.NaN))], "mean length, characters", "win rate, %"));
        }

        Section(body, "Table", Table(table));
        return Page(title, body.ToString());
    }

    /// <summary>The page of judges: agreement, biases and their table.</summary>
    public static string Evaluators(LeaderboardTable table, string title)
    {
        ArgumentNullException.ThrowIfNull(table);
        var body = new StringBuilder();
        foreach (string column in table.Columns.Where(c => table.Rows.Any(r => r.Number(c) is not null)))
        {
            Section(body, column, SvgChart.Bars([.. table.Rows.Select(r => (r.Name, r.Number(column) ?? double.NaN, double.NaN))], column));
        }

        Section(body, "Length and list bias", SvgChart.Scatter(
            [.. table.Rows.Select(r => (r.Name, r.Number("Proba. prefer longer") ?? double.NaN, r.Number("Proba. prefer lists") ?? double.NaN))], "prefers the longer output", "prefers the output with a list"));
        Section(body, "Table", Table(table));
        return Page(title, body.ToString());
    }

    private static void Section(StringBuilder body, string heading, string content) =>
        body.Append("<section><h2>").Append(WebUtility.HtmlEncode(heading)).Append("</h2>\n").Append(content).Append("</section>\n");

    private static string Table(LeaderboardTable table)
    {
        var html = new StringBuilder("<table><thead><tr><th></th>");
        foreach (string column in table.Columns)
        {
            html.Append("<th>").Append(WebUtility.HtmlEncode(column)).Append("</th>");
        }

        html.Append("</tr></thead><tbody>");
        foreach (var row in table.Rows)
        {
            html.Append("<tr><td>").Append(WebUtility.HtmlEncode(row.Name)).Append("</td>");
            foreach (string column in table.Columns)
            {
                html.Append("<td>").Append(WebUtility.HtmlEncode(row.Cells.GetValueOrDefault(column, ""))).Append("</td>");
            }

            html.Append("</tr>\n");
        }

        return html.Append("</tbody></table>").ToString();
    }

    private static string Page(string title, string body) =>
        $"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{WebUtility.HtmlEncode(title)}</title>\n<style>{Style}</style></head>\n<body><h1>{WebUtility.HtmlEncode(title)}</h1>\n{body}</body></html>\n";
}
