using System.Text;

namespace Farm.Models.Tokenizers;

/// <summary>Makes texts valid UTF-16.</summary>
internal static class WellFormed
{
    /// <summary>The text with every lone surrogate replaced by U+FFFD; the same instance if there is none.</summary>
    public static string Of(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
            {
                continue;
            }

            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]))
            {
                i++;
                continue;
            }

            return Repair(text);
        }

        return text;
    }

    private static string Repair(string text)
    {
        var builder = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            builder.Append(rune.ToString());
        }

        return builder.ToString();
    }
}
