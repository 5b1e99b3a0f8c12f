using System.Text;
using System.Text.RegularExpressions;

namespace Farm.Pocket.Tasks;

/// <summary>One wording of an instruction, with places such as <c>{n}</c>; it writes instructions and recognises those it wrote.</summary>
internal sealed class Phrasing
{
    // One word, perhaps with an article, or "a piece of clothing": places next to each other stay apart.
    private const string Value = @"(?:an? )?[^\s,:.?]+(?: of clothing)?";

    private readonly string _text;
    private readonly Regex _pattern;
    private readonly string[] _names;
    private readonly string _start;
    private readonly string _end;

    public Phrasing(string text)
    {
        _text = text;
        _names = [.. s_place.Matches(text).Select(m => m.Groups[1].Value)];
        var pattern = new StringBuilder("^");
        string[] literals = s_place.Split(text);

        (_start, _end) = (literals[0], literals[^1]);

        // Split keeps the captured names at the odd places.
        for (int i = 0; i < literals.Length; i++)
        {
            pattern.Append(i % 2 == 0 ? Regex.Escape(literals[i]) : $"(?<{literals[i]}>{Value})");
        }

        _pattern = new Regex(pattern.Append(@"\z").ToString(), RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking);
    }

    private static readonly Regex s_place = new(@"\{([a-z]+)\}", RegexOptions.CultureInvariant);

    /// <summary>The instruction with the values in their places.</summary>
    public string Fill(Slots slots) => s_place.Replace(_text, m => slots[m.Groups[1].Value]);

    /// <summary>The values of an instruction of this wording, null for another.</summary>
    public Slots? Match(string instruction, string input)
    {
        // The fixed ends rule nearly all wordings out at once.
        if (!instruction.StartsWith(_start, StringComparison.Ordinal) || !instruction.EndsWith(_end, StringComparison.Ordinal)
            || _pattern.Match(instruction) is not { Success: true } match)
        {
            return null;
        }

        var values = _names.ToDictionary(n => n, n => match.Groups[n].Value, StringComparer.Ordinal);
        values["input"] = input;
        return new Slots(values);
    }
}
