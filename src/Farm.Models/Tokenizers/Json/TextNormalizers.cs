using System.Globalization;
using System.Text;
using Farm.Models.Tokenizers.Unicode;

namespace Farm.Models.Tokenizers.Json;

/// <summary>Reads the <c>normalizer</c> of a tokenizer.json as a function from text to text.</summary>
internal static class TextNormalizers
{
    /// <summary>The function; types that are not supported throw by name.</summary>
    public static Func<string, string> Read(JsonField field)
    {
        if (field.IsNull)
        {
            return text => text;
        }

        var type = field["type"].String();
        switch (type)
        {
            case "Sequence":
                var steps = field["normalizers"].Items().Select(Read).ToArray();
                return text => steps.Aggregate(text, (t, step) => step(t));
            case "NFC":
                return text => UnicodeNormalizer.Normalize(text, NormalizationForm.FormC);
            case "NFD":
                return text => UnicodeNormalizer.Normalize(text, NormalizationForm.FormD);
            case "NFKC":
                return text => UnicodeNormalizer.Normalize(text, NormalizationForm.FormKC);
            case "NFKD":
                return text => UnicodeNormalizer.Normalize(text, NormalizationForm.FormKD);
            case "Lowercase":
                return Lowercase;
            case "Prepend":
                var prefix = field["prepend"].String();
                return text => text.Length == 0 ? text : prefix + text;
            case "Replace":
                var pattern = TextPattern.Read(field["pattern"]);
                var content = field["content"].String();
                return text => pattern.Replace(text, content);
            case "Strip":
                var left = field["strip_left"].BoolOrNull() ?? field["left"].BoolOrNull() ?? true;
                var right = field["strip_right"].BoolOrNull() ?? field["right"].BoolOrNull() ?? true;
                return text => Strip(text, left, right);
            case "StripAccents":
                return StripAccents;
            default:
                throw field["type"].Error($"is '{type}', a normalizer that is not supported");
        }
    }

    private static string Strip(string text, bool left, bool right)
    {
        text = left ? text.TrimStart() : text;
        return right ? text.TrimEnd() : text;
    }

    // Character by character, without the context rule for the final sigma; the dotted capital I is the one character that gets longer.
    private static string Lowercase(string text)
    {
        var builder = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            builder.Append(rune.Value == 0x130 ? "i\u0307" : Rune.ToLowerInvariant(rune).ToString());
        }

        return builder.ToString();
    }

    private static string StripAccents(string text)
    {
        var builder = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark))
            {
                builder.Append(rune.ToString());
            }
        }

        return builder.ToString();
    }
}
