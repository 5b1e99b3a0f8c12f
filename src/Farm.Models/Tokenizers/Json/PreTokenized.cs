using System.Text;

namespace Farm.Models.Tokenizers.Json;

/// <summary>A stretch of text on its way through the pre-tokenizers: the text and where it is cut.</summary>
internal sealed class PreTokenized(string text, bool startsInput)
{
    /// <summary>The text, which pre-tokenizers may rewrite.</summary>
    public string Text { get; private set; } = text;

    /// <summary>True if no added token stands before the text.</summary>
    public bool StartsInput { get; } = startsInput;

    /// <summary>The cuts, in order, none empty.</summary>
    public List<(int Start, int Length)> Splits { get; private set; } = [(0, text.Length)];

    /// <summary>Replaces every split by parts of it; <paramref name="cut"/> gets the split's text and gives offsets within it.</summary>
    public void Cut(SplitAction cut)
    {
        var parts = new List<(int Start, int Length)>(Splits.Count * 2);
        var local = new List<(int Start, int Length)>();
        foreach (var (start, length) in Splits)
        {
            local.Clear();
            cut(Text.AsSpan(start, length), local);
            foreach (var part in local)
            {
                if (part.Length > 0)
                {
                    parts.Add((start + part.Start, part.Length));
                }
            }
        }

        Splits = parts;
    }

    /// <summary>Rewrites the text of every split; the function also gets the split's index.</summary>
    public void Rewrite(Func<string, int, string> rewrite)
    {
        var builder = new StringBuilder(Text.Length + Splits.Count);
        var splits = new List<(int Start, int Length)>(Splits.Count);
        foreach (var (start, length) in Splits)
        {
            var written = rewrite(Text.Substring(start, length), splits.Count);
            if (written.Length > 0)
            {
                splits.Add((builder.Length, written.Length));
                builder.Append(written);
            }
        }

        Text = builder.ToString();
        Splits = splits;
    }
}

/// <summary>Cuts a text into parts, appended as (start, length).</summary>
internal delegate void SplitAction(ReadOnlySpan<char> text, List<(int Start, int Length)> parts);
