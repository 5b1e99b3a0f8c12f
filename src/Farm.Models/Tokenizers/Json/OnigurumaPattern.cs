using System.Globalization;
using System.Text;

namespace Farm.Models.Tokenizers.Json;

/// <summary>
/// Translates a pattern in Oniguruma's Ruby syntax, which tokenizer.json files use, to a .NET pattern that matches the same, given one
/// UTF-16 unit per character (see <see cref="CodePointRegex"/>). What has no sure translation throws <see cref="FormatException"/> by name.
/// </summary>
internal sealed class OnigurumaPattern
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

    private readonly string _source;
    private readonly StringBuilder _output = new();
    private readonly Stack<(int Start, bool IgnoreCase)> _groups = new();
    private int _at;
    private int _atom = -1;
    private bool _ignoreCase;

    private OnigurumaPattern(string source) => _source = source;

    /// <summary>The .NET pattern.</summary>
    public static string Translate(string source)
    {
        var translation = new OnigurumaPattern(source);
        translation.Run();
        return translation._output.ToString();
    }

    private char Current => _at < _source.Length ? _source[_at] : throw new FormatException("it ends too early");

    private void Run()
    {
        while (_at < _source.Length)
        {
            var c = _source[_at];
            switch (c)
            {
                case '\\':
                    _atom = _output.Length;
                    _at++;
                    _output.Append(Escape(inClass: false));
                    break;
                case '[':
                    _atom = _output.Length;
                    _at++;
                    var set = Class();
                    _output.Append(_ignoreCase ? $"(?i:{set})" : set);
                    break;
                case '(':
                    OpenGroup();
                    break;
                case ')':
                    _at++;
                    (_atom, _ignoreCase) = _groups.Count > 0 ? _groups.Pop() : throw new FormatException("a ')' has no '('");
                    _output.Append(')');
                    break;
                case '|':
                    _at++;
                    _atom = -1;
                    _output.Append('|');
                    break;
                case '^' or '$':
                    _at++;
                    _atom = _output.Length;
                    _output.Append("(?m:").Append(c).Append(')');
                    break;
                case '.':
                    _at++;
                    _atom = _output.Length;
                    _output.Append('.');
                    break;
                case '*' or '+' or '?':
                    Quantifier();
                    break;
                case '{' when TryInterval(out var interval):
                    Interval(interval);
                    break;
                default:
                    _at++;
                    _atom = _output.Length;
                    _output.Append(Literal(c));
                    break;
            }
        }

        if (_groups.Count > 0)
        {
            throw new FormatException("a '(' has no ')'");
        }
    }

    private void OpenGroup()
    {
        string[] openings = ["(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"];
        var opening = openings.FirstOrDefault(o => string.CompareOrdinal(_source, _at, o, 0, o.Length) == 0);
        var before = _ignoreCase;
        if (opening is null && string.CompareOrdinal(_source, _at, "(?i:", 0, 4) == 0)
        {
            (opening, _ignoreCase) = ("(?:", true);
            _at++;
        }
        else if (opening is null)
        {
            opening = _at + 1 < _source.Length && _source[_at + 1] == '?'
                ? throw new FormatException($"the group '{_source.Substring(_at, Math.Min(4, _source.Length - _at))}' is not supported")
                : "(";
        }

        _at += opening.Length;
        _groups.Push((_output.Length, before));
        _output.Append(opening == "(" ? "(?:" : opening);
        _atom = -1;
    }

    private void Quantifier()
    {
        RequireAtom();
        var quantifier = _source[_at++];
        if (_at < _source.Length && _source[_at] == '+')
        {
            _at++;
            _output.Insert(_atom, "(?>").Append(quantifier).Append(')');
            return;
        }

        _output.Append(quantifier);
        if (_at < _source.Length && _source[_at] == '?')
        {
            _at++;
            _output.Append('?');
        }
        else if (_at < _source.Length && _source[_at] is '*' or '{')
        {
            throw new FormatException("a quantifier follows a quantifier");
        }
    }

    private bool TryInterval(out (int Minimum, int? Maximum, int End) interval)
    {
        interval = default;
        var end = _source.IndexOf('}', _at);
        if (end < 0)
        {
            return false;
        }

        var parts = _source[(_at + 1)..end].Split(',');
        if (parts.Length > 2 || parts.Any(p => p.Length > 5 || !p.All(char.IsAsciiDigit)) || parts.All(p => p.Length == 0))
        {
            return false;
        }

        var minimum = parts[0].Length == 0 ? 0 : int.Parse(parts[0], CultureInfo.InvariantCulture);
        int? maximum = parts.Length == 1 ? minimum : parts[1].Length == 0 ? null : int.Parse(parts[1], CultureInfo.InvariantCulture);
        interval = (minimum, maximum, end + 1);
        return true;
    }

    private void Interval((int Minimum, int? Maximum, int End) interval)
    {
        RequireAtom();
        _at = interval.End;
        var (minimum, maximum) = (interval.Minimum.ToString(CultureInfo.InvariantCulture), interval.Maximum?.ToString(CultureInfo.InvariantCulture));
        _output.Append('{').Append(minimum).Append(',').Append(maximum).Append('}');
        if (_at < _source.Length && _source[_at] is '+' or '?' or '*')
        {
            // In Ruby syntax a sign after an interval repeats it ("{2}?" and "{1,3}+" included), except "{n,m}?", which is lazy.
            if (_source[_at] == '?' && interval.Minimum != interval.Maximum)
            {
                _at++;
                _output.Append('?');
                return;
            }

            _output.Insert(_atom, "(?:").Append(')').Append(_source[_at++]);
        }
    }

    private void RequireAtom()
    {
        if (_atom < 0)
        {
            throw new FormatException($"nothing stands before the quantifier '{_source[_at]}'");
        }
    }

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
