using System.Text;
using System.Text.RegularExpressions;
using Farm.Pocket.Tasks;

namespace Farm.Pocket.Tests;

public sealed class PhrasingTests
{
    private static readonly string[] s_wordings =
        ["Describe {a} in exactly {k} words.", "One {word}, two what?", "Pick {word}: {a}, {b} or {c}.", "What day comes {n} {unit} after {day}?", "{a}", "{a} {b}", "Copy.", "Say {a} a {b} of clothing."];

    // Pieces of which texts are put together that match, nearly match, or match in more than one way.
    private static readonly string[] s_pieces =
        ["a ", "an ", "a", "n", "cat", "it's", " ", " of clothing", " of", ", ", ".", "?", ":", " or ", " in exactly ", " words.", "One ", ", two what?", "Pick ", ": ", "Describe ", "What day comes ", " after ", "Say ", " a ", "\n", "\u00a0", "\u2028", "é", "\ud800"];

    [Fact]
    public void Should_read_as_a_pattern_of_the_same_words_does()
    {
        var draws = new Draws(3, "phrasings");
        int matched = 0;
        foreach (string wording in s_wordings)
        {
            var phrasing = new Phrasing(wording);
            string[] names = [.. Regex.Matches(wording, @"\{([a-z]+)\}").Select(m => m.Groups[1].Value)];
            var pattern = new Regex("^" + Regex.Replace(Regex.Escape(wording).Replace(@"\{", "{", StringComparison.Ordinal), @"\{([a-z]+)\}", @"(?<$1>(?:an? )?[^\s,:.?]+(?: of clothing)?)") + @"\z", RegexOptions.CultureInvariant);
            for (int i = 0; i < 4000; i++)
            {
                string text = i % 2 == 0 ? Scraps(draws, 8) : Regex.Replace(wording, @"\{[a-z]+\}", _ => Scraps(draws, 3));
                var expected = pattern.Match(text);
                var slots = phrasing.Match(text, "the input");
                Assert.Equal(expected.Success, slots is not null);
                if (slots is not null)
                {
                    matched++;
                    Assert.Equal("the input", slots.Input);
                    Assert.All(names, n => Assert.Equal(expected.Groups[n].Value, slots[n]));
                }
            }
        }

        Assert.True(matched > 500, $"{matched}");
    }

    [Fact]
    public void Should_end_a_word_where_the_pattern_does()
    {
        var pattern = new Regex(@"^[^\s,:.?]\z", RegexOptions.CultureInvariant);
        var phrasing = new Phrasing("{a}");
        for (int c = 0; c <= char.MaxValue; c++)
        {
            string text = $"{(char)c}";
            Assert.True(pattern.IsMatch(text) == phrasing.Match(text, string.Empty) is not null, $"U+{c:X4}");
        }
    }

    [Fact]
    public void Should_read_back_what_it_wrote()
    {
        var slots = new Slots(("a", "an ant"), ("k", "a piece of clothing"));
        var phrasing = new Phrasing(s_wordings[0]);
        Assert.Equal("Describe an ant in exactly a piece of clothing words.", phrasing.Fill(slots));
        var read = phrasing.Match(phrasing.Fill(slots), string.Empty)!;
        Assert.Equal(("an ant", "a piece of clothing"), (read["a"], read["k"]));
    }

    [Fact]
    public void Should_refuse_a_wording_whose_places_cannot_be_told_apart()
    {
        Assert.Throws<ArgumentException>(() => new Phrasing("Say {a}{b}."));
        Assert.Throws<ArgumentException>(() => new Phrasing("Say {a}s."));
    }

    private static string Scraps(Draws draws, int most)
    {
        var text = new StringBuilder();
        for (int i = draws.Between(1, most); i > 0; i--)
        {
            text.Append(draws.Pick(s_pieces));
        }

        return text.ToString();
    }
}
