using System.Globalization;
using System.Net;
using System.Text;

namespace Farm.Annotation.Metrics.Report;

/// <summary>Plain charts as SVG texts.</summary>
public static class SvgChart
{
    private const int Width = 760, RowHeight = 22, LabelWidth = 220, ScatterHeight = 420, Margin = 60;

    /// <summary>Horizontal bars with error bars of one standard error.</summary>
    /// <param name="values">Names, values and standard errors (NaN for none), in order from the top.</param>
    /// <param name="axis">What the values are.</param>
    public static string Bars(IReadOnlyList<(string Name, double Value, double Error)> values, string axis)
    {
        ArgumentNullException.ThrowIfNull(values);
        int height = (values.Count * RowHeight) + 50;
        double most = values.Select(v => v.Value + (double.IsNaN(v.Error) ? 0 : v.Error)).Where(double.IsFinite).DefaultIfEmpty(1).Max();
        most = most <= 0 ? 1 : Nice(most);
        double X(double value) => LabelWidth + (Math.Clamp(value, 0, most) / most * (Width - LabelWidth - 90));
        var svg = Begin(height, axis);
        for (int i = 0; i <= 4; i++)
        {
            double x = X(most * i / 4);
            Line(svg, x, 8, x, height - 38, "grid");
            Text(svg, x, height - 22, "middle", Number(most * i / 4));
        }

        Text(svg, (LabelWidth + Width - 90) / 2.0, height - 6, "middle", axis);
        for (int i = 0; i < values.Count; i++)
        {
            var (name, value, error) = values[i];
            double y = 10 + (i * RowHeight);
            Text(svg, LabelWidth - 8, y + 13, "end", name.Length > 34 ? name[..33] + "…" : name);
            if (!double.IsFinite(value))
            {
                continue;
            }

            svg.Append(CultureInfo.InvariantCulture, $"<rect class=\"bar\" x=\"{LabelWidth}\" y=\"{y:0.##}\" width=\"{X(value) - LabelWidth:0.##}\" height=\"{RowHeight - 6}\"/>");
            if (double.IsFinite(error))
            {
                Line(svg, X(value - error), y + 8, X(value + error), y + 8, "error");
            }

            Text(svg, X(value + (double.IsFinite(error) ? error : 0)) + 6, y + 13, "start", value.ToString("0.00", CultureInfo.InvariantCulture));
        }

        return svg.Append("</svg>").ToString();
    }

    /// <summary>Points with their names.</summary>
    /// <param name="points">Names and places.</param>
    /// <param name="xAxis">What runs to the right.</param>
    /// <param name="yAxis">What runs upwards.</param>
    public static string Scatter(IReadOnlyList<(string Name, double X, double Y)> points, string xAxis, string yAxis)
    {
        ArgumentNullException.ThrowIfNull(points);
        var shown = points.Where(p => double.IsFinite(p.X) && double.IsFinite(p.Y)).ToList();
        var (x0, x1) = Range(shown.Select(p => p.X));
        var (y0, y1) = Range(shown.Select(p => p.Y));
        double X(double value) => Margin + ((value - x0) / (x1 - x0) * (Width - (2 * Margin)));
        double Y(double value) => ScatterHeight - Margin - ((value - y0) / (y1 - y0) * (ScatterHeight - (2 * Margin)));
        var svg = Begin(ScatterHeight, $"{yAxis} against {xAxis}");
        for (int i = 0; i <= 4; i++)
        {
            double x = x0 + ((x1 - x0) * i / 4), y = y0 + ((y1 - y0) * i / 4);
            Line(svg, X(x), Margin, X(x), ScatterHeight - Margin, "grid");
            Line(svg, Margin, Y(y), Width - Margin, Y(y), "grid");
            Text(svg, X(x), ScatterHeight - Margin + 18, "middle", Number(x));
            Text(svg, Margin - 8, Y(y) + 4, "end", Number(y));
        }

        Text(svg, Width / 2.0, ScatterHeight - 14, "middle", xAxis);
        Text(svg, Margin, Margin - 14, "start", yAxis);
        foreach (var (name, x, y) in shown)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<circle class=\"dot\" cx=\"{X(x):0.##}\" cy=\"{Y(y):0.##}\" r=\"4\"><title>{WebUtility.HtmlEncode(name)}: {Number(x)}, {Number(y)}</title></circle>");
            if (shown.Count <= 40)
            {
                Text(svg, X(x) + 7, Y(y) + 4, "start", name);
            }
        }

        return svg.Append("</svg>").ToString();
    }

    private static StringBuilder Begin(int height, string title) => new StringBuilder().Append(
        CultureInfo.InvariantCulture,
        $"<svg role=\"img\" viewBox=\"0 0 {Width} {height}\" xmlns=\"http://www.w3.org/2000/svg\"><title>{WebUtility.HtmlEncode(title)}</title>");

    private static void Line(StringBuilder svg, double x1, double y1, double x2, double y2, string kind) =>
        svg.Append(CultureInfo.InvariantCulture, $"<line class=\"{kind}\" x1=\"{x1:0.##}\" y1=\"{y1:0.##}\" x2=\"{x2:0.##}\" y2=\"{y2:0.##}\"/>");

    private static void Text(StringBuilder svg, double x, double y, string anchor, string text) =>
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{x:0.##}\" y=\"{y:0.##}\" text-anchor=\"{anchor}\">{WebUtility.HtmlEncode(text)}</text>");

    private static string Number(double value) => value.ToString("0.###", CultureInfo.InvariantCulture);

    private static (double From, double To) Range(IEnumerable<double> values)
    {
        double[] all = [.. values.DefaultIfEmpty(0)];
        double from = all.Min(), to = all.Max(), room = to > from ? (to - from) * 0.08 : 1;
        return (from - room, to + room);
    }

    /// <summary>The next of 1, 2, 2.5, 5, 10 times a power of ten.</summary>
    private static double Nice(double value)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(value)));
        return new[] { 1, 2, 2.5, 5, 10 }.First(f => f * power >= value * 0.999999) * power;
    }
}
