using System.Globalization;
using System.Net;
using System.Text;

namespace Farm.Cli.Simulation;

/// <summary>A page of its own, without script or network: the table and the over-optimisation curves as SVG.</summary>
internal static class SimulationPage
{
    private const int Width = 460, Height = 300, Left = 52, Right = 14, Top = 14, Bottom = 40;
    private static readonly string[] Colours = ["#1565c0", "#c25b00", "#2e7d32"];

    /// <summary>The page.</summary>
    public static string Of(SimulationResult result)
    {
        var page = new StringBuilder();
        page.Append("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>farm simulate</title>\n<style>\n")
            .Append("body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem;color:#1c2430;background:#fff}\n")
            .Append("table{border-collapse:collapse;width:100%}th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid #dde3ea}th:first-child,td:first-child{text-align:left}\n")
            .Append("main{display:flex;flex-wrap:wrap;gap:1.5rem}figure{margin:0}figcaption{font-weight:600}text{font:11px system-ui,sans-serif;fill:#5b6675}.axis{stroke:#dde3ea}.curve{fill:none;stroke-width:1.8}\n")
            .Append("@media(prefers-color-scheme:dark){body{color:#e6ebf2;background:#12161c}text{fill:#9aa7b8}.axis{stroke:#2c3542}th,td{border-color:#2c3542}}\n")
            .Append("</style>\n</head>\n<body>\n<h1>Learning from feedback in the pocket world</h1>\n");
        Append(page, $"<p>Seed {result.Settings.Seed}; win rates against the fine-tuned model, in percent, with standard errors over instructions; {result.Times.Sum(t => t.Seconds):F0} s.</p>\n<table>\n<tr><th>method</th><th>win rate, simulated judges</th><th>win rate, gold</th><th>gold score</th><th>gain over SFT</th><th>proxy reward</th><th>characters</th></tr>\n");
        foreach (var m in result.Table)
        {
            Append(page, $"<tr><td>{WebUtility.HtmlEncode(m.Name)}</td><td>{m.Win:F1} ± {m.WinError:F1}</td><td>{m.GoldWin:F1} ± {m.GoldWinError:F1}</td><td>{m.Gold:F3} ± {m.GoldError:F3}</td><td>{m.Gain:+0.000;-0.000} ± {m.GainError:F3}</td><td>{m.Proxy:F3}</td><td>{m.Characters:F0}</td></tr>\n");
        }

        page.Append("</table>\n<h2>Over-optimisation</h2>\n<p>Gold score and proxy reward as the reward model is optimised harder, with preferences of a noisy pool, a pool without noise, and a single judge without bias.</p>\n<main>\n");
        foreach (string method in new[] { "best-of-n", "ppo" })
        {
            var curves = result.Curves.Where(c => c.Key.StartsWith(method, StringComparison.Ordinal) && c.Value.Count > 0).Select(c => (Name: c.Key[(method.Length + 1)..], Points: c.Value)).ToList();
            if (curves.Count == 0)
            {
                continue;
            }

            bool byN = method == "best-of-n";
            Chart(page, $"{method}: gold score against {(byN ? "n" : "KL")}", byN ? "n" : "KL, nats", byN, [.. curves.Select(c => (c.Name, Points(c.Points, byN, p => p.Gold)))]);
            Chart(page, $"{method}: proxy reward against {(byN ? "n" : "KL")}", byN ? "n" : "KL, nats", byN, [.. curves.Select(c => (c.Name, Points(c.Points, byN, p => p.Proxy)))]);
            Chart(page, $"{method}: gold score against proxy reward", "proxy reward", false, [.. curves.Select(c => (c.Name, c.Points.Select(p => (p.Proxy, p.Gold)).ToList()))]);
        }

        page.Append("</main>\n<h2>Stages</h2>\n<table>\n<tr><th>stage</th><th>seconds</th></tr>\n");
        foreach (var (stage, seconds) in result.Times)
        {
            Append(page, $"<tr><td>{WebUtility.HtmlEncode(stage)}</td><td>{seconds:F1}</td></tr>\n");
        }

        return page.Append("</table>\n</body>\n</html>\n").ToString();
    }

    private static List<(double X, double Y)> Points(IReadOnlyList<CurvePoint> points, bool byN, Func<CurvePoint, double> y) => [.. points.Select(p => (byN ? Math.Log2(p.N) : p.Kl, y(p)))];

    private static void Chart(StringBuilder page, string title, string axis, bool powers, IReadOnlyList<(string Name, List<(double X, double Y)> Points)> curves)
    {
        var all = curves.SelectMany(c => c.Points).ToList();
        double left = all.Min(p => p.X), right = all.Max(p => p.X), low = all.Min(p => p.Y), high = all.Max(p => p.Y);
        double X(double x) => Left + ((Width - Left - Right) * (right > left ? (x - left) / (right - left) : 0.5));
        double Y(double y) => Height - Bottom - ((Height - Top - Bottom) * (high > low ? (y - low) / (high - low) : 0.5));
        string caption = WebUtility.HtmlEncode(title);
        Append(page, $"<figure><figcaption>{caption}</figcaption>\n<svg width=\"{Width}\" height=\"{Height}\" role=\"img\" aria-label=\"{caption}\">\n");
        for (int i = 0; i <= 4; i++)
        {
            double y = low + ((high - low) * i / 4);
            Append(page, $"<line class=\"axis\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Y(y):F1}\" y2=\"{Y(y):F1}\"/><text x=\"{Left - 6}\" y=\"{Y(y) + 4:F1}\" text-anchor=\"end\">{y:G3}</text>\n");
        }

        foreach (double x in powers ? [.. all.Select(p => p.X).Distinct().Order()] : Enumerable.Range(0, 5).Select(i => left + ((right - left) * i / 4)))
        {
            Append(page, $"<text x=\"{X(x):F1}\" y=\"{Height - 22}\" text-anchor=\"middle\">{(powers ? Math.Pow(2, x) : x):G3}</text>\n");
        }

        Append(page, $"<text x=\"{(Left + Width - Right) / 2}\" y=\"{Height - 6}\" text-anchor=\"middle\">{WebUtility.HtmlEncode(axis)}</text>\n");
        for (int c = 0; c < curves.Count; c++)
        {
            string colour = Colours[c % Colours.Length], path = string.Join(' ', curves[c].Points.Select((p, i) => string.Create(CultureInfo.InvariantCulture, $"{(i == 0 ? 'M' : 'L')}{X(p.X):F1} {Y(p.Y):F1}")));
            Append(page, $"<path class=\"curve\" stroke=\"{colour}\" d=\"{path}\"/>\n");
            foreach (var (x, y) in curves[c].Points)
            {
                Append(page, $"<circle cx=\"{X(x):F1}\" cy=\"{Y(y):F1}\" r=\"2.5\" fill=\"{colour}\"/>");
            }

            Append(page, $"\n<text x=\"{Left + 8}\" y=\"{Top + 12 + (14 * c)}\" style=\"fill:{colour}\">{WebUtility.HtmlEncode(curves[c].Name)}</text>\n");
        }

        page.Append("</svg></figure>\n");
    }

    private static void Append(StringBuilder page, FormattableString text) => page.Append(text.ToString(CultureInfo.InvariantCulture));
}
