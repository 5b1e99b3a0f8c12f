using System.Globalization;
using System.Text;

namespace Farm.Annotation.Python;

// Numbers, texts and names.
internal ref partial struct PythonLiteral
{
    private object Number()
    {
        int start = _at;
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] is '.' or '_' || (_text[_at] is '+' or '-' && _text[_at - 1] is 'e' or 'E' && _at > start)))
        {
            _at++;
        }

        var raw = _text[start.._at];
        if (raw.EndsWith("_") || raw.Contains("__", StringComparison.Ordinal))
        {
            throw Error("a number");
        }

        string text = raw.ToString().Replace("_", string.Empty, StringComparison.Ordinal);
        string lower = text.ToLowerInvariant();
        if (lower.StartsWith("0x", StringComparison.Ordinal) && long.TryParse(lower.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out long hex))
        {
            return hex;
        }

        if (text.All(char.IsAsciiDigit) && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long integer) && (text.Trim('0').Length == 0 || text[0] != '0'))
        {
            return integer;
        }

        const NumberStyles Float = NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        return lower.AsSpan().ContainsAny(".e") && double.TryParse(text, Float, CultureInfo.InvariantCulture, out double d) ? d : throw Error("a number");
    }

    private object? TextOrName()
    {
        var text = new StringBuilder();
        bool any = false;
        while (TryString(text))
        {
            // Neighbouring texts are one text.
            any = true;
            int before = _at;
            Skip(newLines: _depth > 1);
            if (Peek is not ('\'' or '"' or 'r' or 'R' or 'u' or 'U'))
            {
                _at = before;
                break;
            }
        }

        if (any)
        {
            return text.ToString();
        }

        int start = _at;
        while (char.IsAsciiLetter(Peek))
        {
            _at++;
        }

        return _text[start.._at] switch
        {
            "True" => true,
            "False" => false,
            "None" => null,
            _ => throw Error("a value"),
        };
    }

    private bool TryString(StringBuilder result)
    {
        int at = _at;
        bool raw = false;
        if (at < _text.Length && _text[at] is 'r' or 'R' or 'u' or 'U')
        {
            raw = _text[at] is 'r' or 'R';
            at++;
        }

        if (at >= _text.Length || _text[at] is not ('\'' or '"'))
        {
            return false;
        }

        char quote = _text[at];
        bool triple = at + 2 < _text.Length && _text[at + 1] == quote && _text[at + 2] == quote;
        _at = at + (triple ? 3 : 1);
        while (_at < _text.Length)
        {
            char c = _text[_at];
            if (c == quote && (!triple || (_at + 2 < _text.Length && _text[_at + 1] == quote && _text[_at + 2] == quote)))
            {
                _at += triple ? 3 : 1;
                return true;
            }

            if (c == '\\' && _at + 1 < _text.Length)
            {
                Escape(result, raw);
            }
            else if (c is '\n' or '\r' && !triple)
            {
                break;
            }
            else
            {
                result.Append(c);
                _at++;
            }
        }

        throw Error("the end of a text");
    }

    private void Escape(StringBuilder result, bool raw)
    {
        char c = _text[_at + 1];
        _at += 2;
        if (raw)
        {
            result.Append('\\').Append(c);
            return;
        }

        switch (c)
        {
            case '\n':
                break;
            case 'x':
                result.Append((char)Hex(2));
                break;
            case 'u':
                result.Append((char)Hex(4));
                break;
            case 'U':
                int rune = Hex(8);
                result.Append(Rune.IsValid(rune) ? new Rune(rune).ToString() : throw Error("a character"));
                break;
            case >= '0' and <= '7':
                int value = c - '0';
                for (int i = 0; i < 2 && Peek is >= '0' and <= '7'; i++, _at++)
                {
                    value = (value * 8) + Peek - '0';
                }

                result.Append((char)value);
                break;
            default:
                int known = "\\'\"abfnrtv".IndexOf(c, StringComparison.Ordinal);
                _ = known < 0 ? result.Append('\\').Append(c) : result.Append("\\'\"\a\b\f\n\r\t\v"[known]);
                break;
        }
    }

    private int Hex(int digits)
    {
        if (_at + digits > _text.Length || !int.TryParse(_text.Slice(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value))
        {
            throw Error("hexadecimal digits");
        }

        _at += digits;
        return value;
    }
}
