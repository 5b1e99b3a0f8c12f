using System.Globalization;

namespace Farm.Pocket.Lexicon;

/// <summary>English numbers from zero to ninety-nine.</summary>
internal static class Numbers
{
    private static readonly string[] s_small =
    [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen",
        "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    ];

    private static readonly string[] s_tens = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

    /// <summary>The number in words.</summary>
    public static string Word(int value) =>
        value < 20 ? s_small[value] : value % 10 == 0 ? s_tens[(value / 10) - 2] : $"{s_tens[(value / 10) - 2]}-{s_small[value % 10]}";

    /// <summary>The value of a number as <see cref="Word"/> or digits write it, null for another text.</summary>
    public static int? Parse(string text)
    {
        var values = In(text.Split('-'));
        return values is [var value] && (text == value.ToString(CultureInfo.InvariantCulture) || (value < 100 && text == Word(value))) ? value : null;
    }

    /// <summary>The numbers said by words in lower case; "twenty" followed by "one" is 21.</summary>
    public static List<int> In(IReadOnlyList<string> words)
    {
        var values = new List<int>();
        for (int i = 0; i < words.Count; i++)
        {
            int small = Array.IndexOf(s_small, words[i]), tens = Array.IndexOf(s_tens, words[i]);
            if (tens >= 0)
            {
                int unit = i + 1 < words.Count ? Array.IndexOf(s_small, words[i + 1]) : -1;
                bool joined = unit is > 0 and < 10;
                values.Add(((tens + 2) * 10) + (joined ? unit : 0));
                i += joined ? 1 : 0;
            }
            else if (small >= 0)
            {
                values.Add(small);
            }
            else if (words[i].Length <= 4 && int.TryParse(words[i], NumberStyles.None, CultureInfo.InvariantCulture, out int digits))
            {
                values.Add(digits);
            }
        }

        return values;
    }
}
