using System.Text;
using System.Text.Json;

namespace Farm.Annotation.Data;

/// <summary>Python writes NaN and Infinity as bare words, which JSON does not know. They are read as texts with a mark.</summary>
internal static class BareWords
{
    // A private-use character keeps the marked word apart from a text that says NaN.
    private const char Sign = '\uE0A0';
    private static readonly string[] Words = ["NaN", "-Infinity", "Infinity"];

    /// <summary>The word (NaN, Infinity, -Infinity) that stood bare in the file, or null where the value is anything else.</summary>
    public static string? NotANumber(JsonElement value) =>
        value.ValueKind == JsonValueKind.String && value.ValueEquals($"{Sign}NaN") ? "NaN"
        : value.ValueKind == JsonValueKind.String && value.ValueEquals($"{Sign}Infinity") ? "Infinity"
        : value.ValueKind == JsonValueKind.String && value.ValueEquals($"{Sign}-Infinity") ? "-Infinity"
        : null;

    /// <summary>The text with each bare NaN or Infinity made a marked string; null where there is none.</summary>
    public static string? Mark(string text)
    {
        StringBuilder? result = null;
        int copied = 0;
        bool quoted = false;
        for (int i = 0; i < text.Length; i++)
        {
            if (quoted)
            {
                if (text[i] == '\\')
                {
                    i++;
                }
                else
                {
                    quoted = text[i] != '"';
                }

                continue;
            }

            if (text[i] == '"')
            {
                quoted = true;
                continue;
            }

            foreach (string word in Words)
            {
                if (string.CompareOrdinal(text, i, word, 0, word.Length) == 0)
                {
                    result ??= new StringBuilder(text.Length + 64);
                    result.Append(text, copied, i - copied).Append('"').Append(Sign).Append(word).Append('"');
                    i += word.Length - 1;
                    copied = i + 1;
                    break;
                }
            }
        }

        return result?.Append(text, copied, text.Length - copied).ToString();
    }
}
