using System.Globalization;
using System.Text;

namespace Farm.Models.Tokenizers.Json;

/// <content>What stands for one character: literals, escapes, properties and classes.</content>
internal sealed partial class OnigurumaPattern
{
    // Alphabetic, marks, decimal digits and connectors; U+24B6-24E9 are the alphabetic symbols.
    private const string WordSet = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u24B6-\u24E9";

    private static readonly HashSet<string> s_categories = new(StringComparer.Ordinal)
    {
        "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
        "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Co", "Cn",
    };

    private static readonly Dictionary<string, string> s_longNames = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Letter"] = "L",
        ["Uppercase_Letter"] = "Lu",
        ["Lowercase_Letter"] = "Ll",
        ["Titlecase_Letter"] = "Lt",
        ["Modifier_Letter"] = "Lm",
        ["Other_Letter"] = "Lo",
        ["Mark"] = "M",
        ["Number"] = "N",
        ["Decimal_Number"] = "Nd",
        ["Punctuation"] = "P",
        ["Symbol"] = "S",
        ["Separator"] = "Z",
        ["Other"] = "C",
    };

    private string Literal(char c)
    {
        if (char.IsSurrogate(c))
        {
            throw new FormatException("characters beyond U+FFFF in a pattern are not supported");
        }

        if (!_ignoreCase || !char.IsLetter(c))
        {
            return char.IsAsciiLetterOrDigit(c) || c > 0x7F ? c.ToString() : System.Text.RegularExpressions.Regex.Escape(c.ToString());
        }

        // Unicode case folding also equates the long s and the Kelvin sign with ASCII letters.
        return char.ToLowerInvariant(c) switch
        {
            's' => "[sS\u017F]",
            'k' => "[kK\u212A]",
            var lower when char.IsAsciiLetter(lower) => $"[{lower}{char.ToUpperInvariant(lower)}]",
            var other => $"(?i:{other})",
        };
    }

    private string Escape(bool inClass)
    {
        var c = Current;
        _at++;
        switch (c)
        {
            case 'p' or 'P':
                return Property(c == 'P');
            case 's' or 'S' or 'd' or 'D' or 'r' or 'n' or 't' or 'f' or 'v' or 'a' or 'e':
                return "\\" + c;
            case 'w':
                return inClass ? WordSet : $"[{WordSet}]";
            case 'W' when !inClass:
                return $"[^{WordSet}]";
            case 'h':
                return inClass ? "0-9a-fA-F" : "[0-9a-fA-F]";
            case 'A' or 'z' or 'Z' when !inClass:
                return "\\" + c;
            case 'b' when !inClass:
                return $"(?:(?<=[{WordSet}])(?![{WordSet}])|(?<![{WordSet}])(?=[{WordSet}]))";
            case 'x' or 'u':
                return $"\\u{CodePoint(c):X4}";
            default:
                if (char.IsAsciiLetterOrDigit(c))
                {
                    throw new FormatException($"the escape '\\{c}'{(inClass ? " in a class" : string.Empty)} is not supported");
                }

                return inClass ? ClassLiteral(c) : Literal(c);
        }
    }

    private int CodePoint(char kind)
    {
        var braces = kind == 'x' && Current == '{';
        var start = braces ? _at + 1 : _at;
        var end = braces ? _source.IndexOf('}', _at) : Math.Min(_source.Length, _at + (kind == 'x' ? 2 : 4));
        if (end < 0 || !int.TryParse(_source.AsSpan(start, end - start), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
        {
            throw new FormatException($"an escape '\\{kind}' has no hexadecimal number");
        }

        _at = braces ? end + 1 : end;
        return value is >= 0 and <= 0xFFFF && !char.IsSurrogate((char)value) ? value : throw new FormatException("characters beyond U+FFFF in a pattern are not supported");
    }

    private string Property(bool negated)
    {
        var end = _at < _source.Length && _source[_at] == '{' ? _source.IndexOf('}', _at) : -1;
        if (end < 0)
        {
            throw new FormatException("a '\\p' has no '{...}'");
        }

        var name = _source[(_at + 1)..end];
        _at = end + 1;
        if (name.StartsWith('^'))
        {
            (name, negated) = (name[1..], !negated);
        }

        name = s_longNames.GetValueOrDefault(name, name);
        return s_categories.Contains(name) ? $"\\{(negated ? 'P' : 'p')}{{{name}}}" : throw new FormatException($"the property '\\p{{{name}}}' is not supported");
    }

    // After the '['. A class inside a class is a union in Ruby syntax.
    private string Class()
    {
        var negated = Current == '^';
        _at += negated ? 1 : 0;
        var set = new StringBuilder();
        for (var first = true; first || Current != ']'; first = false)
        {
            if (_source.AsSpan(_at).StartsWith("&&", StringComparison.Ordinal))
            {
                throw new FormatException("the class intersection '&&' is not supported");
            }

            if (_source.AsSpan(_at).StartsWith("[:", StringComparison.Ordinal))
            {
                throw new FormatException("POSIX brackets '[:...:]' are not supported");
            }

            set.Append(ClassItem());
        }

        _at++;
        return $"[{(negated ? "^" : string.Empty)}{set}]";
    }

    private string ClassItem()
    {
        var c = Current;
        if (c == '[')
        {
            _at++;
            var inner = Class();
            return inner.StartsWith("[^", StringComparison.Ordinal) ? throw new FormatException("a negated class in a class is not supported") : inner[1..^1];
        }

        _at++;
        var item = c == '\\' ? Escape(inClass: true) : ClassLiteral(c);
        var isRange = _at + 1 < _source.Length && _source[_at] == '-' && _source[_at + 1] is not (']' or '[') && IsOneCharacter(item);
        if (!isRange)
        {
            return item;
        }

        _at++;
        var last = Current;
        _at++;
        var upper = last == '\\' ? Escape(inClass: true) : ClassLiteral(last);
        return IsOneCharacter(upper) ? $"{item}-{upper}" : $"{item}\\-{upper}";
    }

    private static bool IsOneCharacter(string item) =>
        item.Length == 1 || (item[0] == '\\' && (item.Length == 2 ? item[1] is not ('s' or 'S' or 'd' or 'D') : item[1] == 'u' && item.Length == 6));

    private static string ClassLiteral(char c) => c switch
    {
        _ when char.IsSurrogate(c) => throw new FormatException("characters beyond U+FFFF in a pattern are not supported"),
        '\\' or '^' or '-' or '[' or ']' => "\\" + c,
        _ => c.ToString(),
    };
}
