using System.Globalization;
using System.Text;

namespace Farm.Models.Tokenizers.Json;

/// <summary>
/// Translates a pattern in Oniguruma's Ruby syntax, which tokenizer.json files use, to a .NET pattern that matches the same, given one
/// UTF-16 unit per character (see <see cref="CodePointRegex"/>). What has no sure translation throws <see cref="FormatException"/> by name.
/// </summary>
internal sealed partial class OnigurumaPattern
{
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
}
