using System.Globalization;

namespace Farm.Annotation.Metrics;

/// <summary>Floats as Python and pandas write them: the shortest text that reads back as the same double.</summary>
public static class PythonFloat
{
    private const int FirstExponent = 16, LastFraction = -4;

    /// <summary>
    /// The text of <paramref name="value"/>: <c>50.0</c>, <c>0.0001</c>, <c>1e-05</c>, <c>1e+16</c>, <c>nan</c>, <c>inf</c>.
    /// </summary>
    public static string Format(double value)
    {
        if (double.IsNaN(value) || double.IsInfinity(value))
        {
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }

        string shortest = value.ToString("R", CultureInfo.InvariantCulture);
        string sign = shortest[0] == '-' ? "-" : "";
        (string digits, int exponent) = Digits(shortest.TrimStart('-'));
        if (exponent is < LastFraction or >= FirstExponent)
        {
            string mantissa = digits.Length == 1 ? digits : digits[..1] + "." + digits[1..];
            return string.Create(CultureInfo.InvariantCulture, $"{sign}{mantissa}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");
        }

        if (exponent < 0)
        {
            return sign + "0." + new string('0', -exponent - 1) + digits;
        }

        string whole = digits.PadRight(exponent + 1, '0');
        return sign + whole[..(exponent + 1)] + "." + (digits.Length > exponent + 1 ? whole[(exponent + 1)..] : "0");
    }

    /// <summary>The significant digits, and the power of ten of the first of them.</summary>
    private static (string Digits, int Exponent) Digits(string text)
    {
        int exponent = 0;
        int e = text.IndexOf('E', StringComparison.Ordinal);
        if (e >= 0)
        {
            exponent = int.Parse(text.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            text = text[..e];
        }

        int point = text.IndexOf('.', StringComparison.Ordinal);
        string all = point < 0 ? text : text[..point] + text[(point + 1)..];
        exponent += (point < 0 ? text.Length : point) - 1;
        string significant = all.TrimStart('0');
        exponent -= all.Length - significant.Length;
        significant = significant.TrimEnd('0');
        return significant.Length == 0 ? ("0", 0) : (significant, exponent);
    }
}
