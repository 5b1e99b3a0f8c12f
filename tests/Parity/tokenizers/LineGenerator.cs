using System.Text;

namespace Parity.Tokenizers;

/// <summary>Seeded lines of hostile text. No line holds a line feed or a carriage return, so that tools can read them line by line.</summary>
internal static class LineGenerator
{
    private static readonly string[] s_words =
    [
        "the", "of", "instruction", "Response", "don't", "I'll", "WE'VE", "it's", "naïve", "Zürich", "STRASSE", "straße", "e\u0301te\u0301", "A\u030Angstro\u0308m",
        "www.example.org/path?q=1&r=2", "user@mail.net", "for(int i=0;i<n;++i){", "return x != y ? *p++ : a[i];", "<div class=\"x\">", "x86_64", "0xDEADBEEF",
        "3.14159", "1,000,000", "2024-02-24", "C#", "snake_case_name", "CamelCaseName", "...", "---", "?!", "\"quoted\"", "(paren)", "{json: [1, 2]}", "$100", "50%",
        "Привет", "мир", "Ελληνικά", "ΣΊΣΥΦΟΣ", "שלום", "مرحبا", "السَّلَامُ", "नमस्ते", "ภาษาไทย", "한국어", "각", "日本語のテキスト", "漢字", "中文字符。", "ｆｕｌｌｗｉｄｔｈ", "①②③", "ﬁne", "½", "²",
        "\U0001D4B3\U0001D4B4", "\U00020000\U0002A6D6", "\U00010400\U00010428", "\U0001D7D8\U0001D7D9", "Ⅷ", "€", "™", "ﷺ", "İstanbul", "ǅ",
    ];

    private static readonly string[] s_emoji =
    [
        "😀", "🤖", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "🇯🇵🇫🇷", "❤️", "☺", "1️⃣", "🧑🏿‍🚀", "🫠", "\u200D", "\uFE0F",
    ];

    private static readonly string[] s_spaces = [" ", " ", " ", " ", " ", "  ", "   ", "        ", "\t", "\t\t", " \t ", "\u00A0", "\u3000", "\u2009", "\u200B", "\u000B"];

    private static readonly string[] s_specials =
    [
        "<s>", "</s>", "<unk>", "[PAD]", "<0x0A>", "▁", "▁▁", "<|begin_of_text|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|reserved_special_token_3|>", "[INST]",
    ];

    /// <summary>Lines of UTF-16 text, some with lone surrogates.</summary>
    public static List<string> Lines(int count, int seed, bool specials = true, bool loneSurrogates = true)
    {
        var random = new Random(seed);
        var lines = new List<string>(count);
        while (lines.Count < count)
        {
            var line = new StringBuilder();
            var parts = random.Next(0, 25);
            for (var i = 0; i < parts; i++)
            {
                Append(line, random, specials, loneSurrogates);
            }

            lines.Add(line.ToString());
        }

        return lines;
    }

    /// <summary>The lines as UTF-8, then some bytes of some lines overwritten, dropped or inserted.</summary>
    public static List<byte[]> Bytes(int count, int seed)
    {
        var random = new Random(seed ^ 0x5EED);
        return Lines(count, seed, loneSurrogates: false).ConvertAll(line =>
        {
            var bytes = Encoding.UTF8.GetBytes(line).ToList();
            for (var faults = random.Next(3) == 0 ? random.Next(1, 6) : 0; faults > 0 && bytes.Count > 0; faults--)
            {
                var at = random.Next(bytes.Count);
                switch (random.Next(3))
                {
                    case 0:
                        bytes[at] = (byte)random.Next(0x80, 0x100);
                        break;
                    case 1:
                        bytes.RemoveAt(at);
                        break;
                    default:
                        bytes.Insert(at, (byte)random.Next(0x80, 0x100));
                        break;
                }
            }

            return bytes.ToArray();
        });
    }

    private static void Append(StringBuilder line, Random random, bool specials, bool loneSurrogates)
    {
        switch (random.Next(20))
        {
            case 0:
                line.Append(s_emoji[random.Next(s_emoji.Length)]);
                break;
            case 1:
                line.Append(random.Next());
                break;
            case 2 when specials:
                line.Append(s_specials[random.Next(s_specials.Length)]);
                break;
            case 3 when loneSurrogates && random.Next(4) == 0:
                line.Append((char)random.Next(0xD800, 0xE000));
                break;
            case 4:
                line.Append(AnyRune(random));
                break;
            case 5:
                line.Append((char)random.Next(0x21, 0x7F), random.Next(1, 9));
                break;
            case 6:
                line.Append((char)random.Next(0x300, 0x370));
                break;
            case 7 or 8 or 9 or 10:
                for (var letters = random.Next(1, 12); letters > 0; letters--)
                {
                    line.Append((char)random.Next('a', 'z' + 1));
                }

                break;
            default:
                line.Append(s_words[random.Next(s_words.Length)]);
                break;
        }

        if (random.Next(4) != 0)
        {
            line.Append(s_spaces[random.Next(s_spaces.Length)]);
        }
    }

    /// <summary>True for blocks that came after Unicode 15.0, in which programs of different age treat characters differently.</summary>
    public static bool IsRecent(int point) => point is 0x897 or (>= 0x105C0 and < 0x10600) or (>= 0x10D40 and < 0x10D90) or (>= 0x10EC0 and < 0x10EFD)
        or (>= 0x11380 and < 0x11400) or (>= 0x116D0 and < 0x11700) or (>= 0x11BC0 and < 0x11C00) or (>= 0x16100 and < 0x16140) or (>= 0x16D40 and < 0x16D80)
        or (>= 0x1CC00 and < 0x1CEC0) or (>= 0x1E5D0 and < 0x1E600);

    // Of the planes in use; not a control, nor U+0085, U+FEFF and newer letters, where JavaScript's white space and categories differ from Oniguruma's.
    private static Rune AnyRune(Random random)
    {
        while (true)
        {
            var value = random.Next(3) switch { 0 => random.Next(0xA1, 0x2FFF), 1 => random.Next(0x3000, 0xFFFE), _ => random.Next(0x10000, 0x20000) };
            if (Rune.TryCreate(value, out var rune) && value is not (0x85 or 0xFEFF or 0x2028 or 0x2029) && !IsRecent(value)
                && Rune.GetUnicodeCategory(rune) is not (System.Globalization.UnicodeCategory.OtherNotAssigned or System.Globalization.UnicodeCategory.PrivateUse))
            {
                return rune;
            }
        }
    }
}
