using System.Globalization;
using System.Net;
using System.Text;
using Farm.Models.Checkpoints;

namespace Farm.Training.Metrics;

/// <summary>A page of its own, without script or network, with a curve of every metric.</summary>
public static class HtmlReport
{
    private const int Width = 460, Height = 220, Left = 62, Right = 10, Top = 12, Bottom = 26;

    /// <summary>Writes the page.</summary>
    /// <exception cref="Farm.Core.BadInputException">It cannot be written.</exception>
    public static void Write(string path, string title, IReadOnlyList<MetricLine> lines)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(Page(title, lines));
        AtomicFile.Write(path, bytes.Length, stream => stream.Write(bytes));
    }

    private static string Page(string title, IReadOnlyList<MetricLine> lines)
    {
        string heading = WebUtility.HtmlEncode(title);
        var page = new StringBuilder();
        page.Append("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>").Append(heading).Append("</title>\n<style>\n")
            .Append("body{font:15px/1.5 system-ui,sans-serif;max-width:980px;margin:2rem auto;padding:0 1rem;color:#1c2430;background:#fff}\n")
            .Append("main{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0}figcaption{font-weight:600}\n")
            .Append("text{font:11px system-ui,sans-serif;fill:#5b6675}path{fill:none;stroke:#1565c0;stroke-width:1.6}circle{fill:#1565c0}line{stroke:#dde3ea}\n")
            .Append("@media(prefers-color-scheme:dark){body{color:#e6ebf2;background:#12161c}text{fill:#9aa7b8}line{stroke:#2c3542}path{stroke:#6db3ff}circle{fill:#6db3ff}}\n")
            .Append("</style>\n</head>\n<body>\n<h1>").Append(heading).Append("</h1>\n<main>\n");
        foreach (string name in lines.SelectMany(l => l.Values.Select(v => v.Name)).Where(n => n != "epoch").Distinct())
        {
            var points = lines.SelectMany(l => l.Values.Where(v => v.Name == name && double.IsFinite(v.Value)).Select(v => (l.Step, v.Value))).ToList();
            if (points.Count > 0)
            {
                Chart(page, name, points);
            }
        }

        return page.Append("</main>\n</body>\n</html>\n").ToString();
    }

    private static void Chart(StringBuilder page, string name, List<(int Step, double Value)> points)
    {
        double low = points.Min(p => p.Value), high = points.Max(p => p.Value);
        int first = points.Min(p => p.Step), last = points.Max(p => p.Step);
        double X(int step) => Left + ((Width - Left - Right) * (last > first ? (step - first) / (double)(last - first) : 0.5));
        double Y(double value) => Height - Bottom - ((Height - Top - Bottom) * (high > low ? (value - low) / (high - low) : 0.5));
        string caption = WebUtility.HtmlEncode(name);
        page.Append(CultureInfo.InvariantCulture, $"<figure><figcaption>{caption}</figcaption>\n<svg width=\"{Width}\" height=\"{Height}\" role=\"img\" aria-label=\"{caption} by step\">\n");
        foreach (double value in high > low ? new[] { low, high } : [low])
        {
            page.Append(CultureInfo.InvariantCulture, $"<line x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Y(value):F1}\" y2=\"{Y(value):F1}\"/>");
            page.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left - 6}\" y=\"{Y(value) + 4:F1}\" text-anchor=\"end\">{value:G4}</text>\n");
        }

        page.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(first):F1}\" y=\"{Height - 8}\" text-anchor=\"middle\">{first}</text>");
        page.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(last):F1}\" y=\"{Height - 8}\" text-anchor=\"end\">step {last}</text>\n<path d=\"");
        for (int i = 0; i < points.Count; i++)
        {
            page.Append(CultureInfo.InvariantCulture, $"{(i == 0 ? 'M' : 'L')}{X(points[i].Step):F1} {Y(points[i].Value):F1}");
        }

        page.Append("\"/>\n");
        if (points.Count == 1)
        {
            page.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{X(first):F1}\" cy=\"{Y(points[0].Value):F1}\" r=\"3\"/>\n");
        }

        page.Append("</svg></figure>\n");
    }
}
