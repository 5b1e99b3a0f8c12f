namespace Farm.Models.Tokenizers.Json;

/// <summary>The <c>pattern</c> of a component: <c>{"String": ...}</c> or <c>{"Regex": ...}</c>.</summary>
internal sealed class TextPattern
{
    private readonly CodePointRegex? _regex;

    private TextPattern(string? text, CodePointRegex? regex) => (Text, _regex) = (text, regex);

    /// <summary>The exact text sought, null for a regular expression.</summary>
    public string? Text { get; }

    /// <summary>A pattern from a regular expression in Oniguruma syntax.</summary>
    public static TextPattern FromRegex(string pattern) => new(null, new CodePointRegex(pattern));

    public static TextPattern Read(JsonField field)
    {
        if (field.Element.ValueKind == System.Text.Json.JsonValueKind.String)
        {
            return new TextPattern(field.String(), null);
        }

        if (field["String"] is { IsNull: false } text)
        {
            return new TextPattern(text.String(), null);
        }

        var regex = field["Regex"];
        try
        {
            return FromRegex(regex.String());
        }
        catch (FormatException e)
        {
            throw new Farm.Core.BadInputException(regex.Error($"cannot be used: {e.Message}").Message, e);
        }
    }

    /// <summary>Appends pieces that cover the text, matches marked.</summary>
    public void Find(ReadOnlySpan<char> text, List<(int Start, int Length, bool IsMatch)> pieces)
    {
        if (_regex is not null)
        {
            _regex.Find(text, pieces);
            return;
        }

        for (var done = 0; done < text.Length;)
        {
            var at = Text!.Length == 0 ? -1 : text[done..].IndexOf(Text, StringComparison.Ordinal);
            var end = at < 0 ? text.Length : done + at;
            if (end > done)
            {
                pieces.Add((done, end - done, false));
            }

            if (at >= 0)
            {
                pieces.Add((end, Text!.Length, true));
                end += Text.Length;
            }

            done = end;
        }
    }

    /// <summary>The text with every match replaced by a constant.</summary>
    public string Replace(string text, string by)
    {
        if (Text is { Length: > 0 })
        {
            return text.Replace(Text, by, StringComparison.Ordinal);
        }

        var pieces = new List<(int Start, int Length, bool IsMatch)>();
        Find(text, pieces);
        return string.Concat(pieces.Select(p => p.IsMatch ? by : text.Substring(p.Start, p.Length)));
    }
}
