namespace Farm.Annotation.Python;

/// <summary>
/// Python's <c>ast.literal_eval</c>: lists, tuples, sets, maps, texts in all their quotes, numbers, <c>True</c>, <c>False</c> and <c>None</c>.
/// Tuples and sets become lists. Prose around the literal is an error.
/// </summary>
internal ref partial struct PythonLiteral
{
    private const int MaxDepth = 100;
    private readonly ReadOnlySpan<char> _text;
    private int _at;
    private int _depth;

    private PythonLiteral(ReadOnlySpan<char> text) => _text = text;

    /// <summary>Reads a literal.</summary>
    /// <exception cref="FormatException">The text is none.</exception>
    public static object? Parse(string text)
    {
        var reader = new PythonLiteral(text.AsSpan().TrimStart(" \t"));
        object? value = reader.Top();
        return value;
    }

    private object? Top()
    {
        object? first = Value();
        Skip(newLines: false);
        if (Peek == ',')
        {
            var tuple = new List<object?> { first };
            while (Peek == ',')
            {
                _at++;
                Skip(newLines: false);
                if (_at < _text.Length && Peek is not ('\n' or '\r' or '#'))
                {
                    tuple.Add(Value());
                    Skip(newLines: false);
                }
            }

            first = tuple;
        }

        Skip(newLines: true);
        return _at == _text.Length ? first : throw Error("text after the literal");
    }

    private readonly char Peek => _at < _text.Length ? _text[_at] : '\0';

    private object? Value()
    {
        if (++_depth > MaxDepth)
        {
            throw Error("nesting too deep");
        }

        Skip(newLines: _depth > 1);
        object? value = Peek switch
        {
            '[' => Sequence(']'),
            '(' => Parenthesis(),
            '{' => Braces(),
            '+' or '-' => Signed(),
            >= '0' and <= '9' or '.' => Number(),
            _ => TextOrName(),
        };
        _depth--;
        return value;
    }

    private object Signed()
    {
        bool negative = false;
        while (Peek is '+' or '-')
        {
            negative ^= Peek == '-';
            _at++;
            Skip(newLines: _depth > 1);
        }

        return Number() switch
        {
            long i => negative ? -i : i,
            double d => negative ? -d : (object)d,
            _ => throw Error("a number after the sign"),
        };
    }

    private List<object?> Sequence(char end)
    {
        _at++;
        var items = new List<object?>();
        while (true)
        {
            Skip(newLines: true);
            if (Peek == end && _at < _text.Length)
            {
                _at++;
                return items;
            }

            items.Add(Value());
            Separator(end);
        }
    }

    private object? Parenthesis()
    {
        int start = _at;
        var items = Sequence(')');
        // One value without a comma is only in brackets; with one it is a tuple.
        return items.Count == 1 && !_text[start.._at].TrimEnd(')').TrimEnd().EndsWith(",") ? items[0] : items;
    }

    private object Braces()
    {
        _at++;
        Skip(newLines: true);
        if (Peek == '}')
        {
            _at++;
            return new OrderedDictionary<object, object?>();
        }

        object? first = Value();
        Skip(newLines: true);
        if (Peek == ':')
        {
            return Map(first);
        }

        var set = new List<object?> { first };
        Separator('}');
        while (true)
        {
            Skip(newLines: true);
            if (Peek == '}')
            {
                _at++;
                return set;
            }

            set.Add(Value());
            Separator('}');
        }
    }

    private OrderedDictionary<object, object?> Map(object? key)
    {
        var map = new OrderedDictionary<object, object?>();
        while (true)
        {
            Skip(newLines: true);
            if (Peek != ':')
            {
                throw Error("':'");
            }

            _at++;
            map[key ?? string.Empty] = Value();
            Separator('}');
            Skip(newLines: true);
            if (Peek == '}')
            {
                _at++;
                return map;
            }

            key = Value();
        }
    }

    /// <summary>A comma, or the closing bracket which is left in place.</summary>
    private void Separator(char end)
    {
        Skip(newLines: true);
        if (Peek == ',')
        {
            _at++;
        }
        else if (Peek != end || _at >= _text.Length)
        {
            throw Error($"',' or '{end}'");
        }
    }

    private void Skip(bool newLines)
    {
        while (_at < _text.Length)
        {
            char c = _text[_at];
            if (c == '#')
            {
                int end = _text[_at..].IndexOf('\n');
                _at = end < 0 ? _text.Length : _at + end;
            }
            else if (c is ' ' or '\t' or '\f' || (newLines && c is '\n' or '\r'))
            {
                _at++;
            }
            else if (c == '\\' && _at + 1 < _text.Length && _text[_at + 1] == '\n')
            {
                _at += 2;
            }
            else
            {
                return;
            }
        }
    }

    private readonly FormatException Error(string expected) => new($"expected {expected} at character {_at + 1}");
}
