using Farm.Models.Tokenizers.Json;

namespace Farm.Models.Tests.Tokenizers;

public class OnigurumaPatternTests
{
    [Theory]
    [InlineData("a++b", "aab", "aab")]
    [InlineData("a++a", "aaa", "")]
    [InlineData("(?i:'s|'t)", "'S 't 'ſ", "'S|'t|'ſ")]
    [InlineData(@"\p{L}+", "a𐐀漢1", "a𐐀漢")]
    [InlineData(@"[^\r\n\p{L}\p{N}]?\p{L}+", "👍𝒳x", "👍𝒳x")]
    [InlineData(@"\p{N}{1,3}", "12345", "123|45")]
    [InlineData(@"\p{N}{,2}", "123", "12|3")]
    [InlineData(@"\s+(?!\S)|\s+", "a   b", "  | ")]
    [InlineData("[a-c-]+", "ab-d", "ab-")]
    [InlineData("[[a-c]x]+", "axd", "ax")]
    [InlineData(@"[\]\-^]+", "a]-^", "]-^")]
    [InlineData("a{x", "a{x", "a{x")]
    [InlineData(@"\h+", "beefz", "beef")]
    [InlineData(@"\x{e9}\u00e9", "éé", "éé")]
    [InlineData(@"\p{^L}+", "a1b", "1")]
    [InlineData("(?:a|b){2}+", "ababa", "abab")]
    [InlineData("^b$", "a\nb", "b")]
    public void Patterns_match_as_in_Oniguruma(string pattern, string text, string expected)
    {
        var pieces = new List<(int Start, int Length, bool IsMatch)>();
        new CodePointRegex(pattern).Find(text, pieces);
        Assert.Equal(text, string.Concat(pieces.Select(p => text.Substring(p.Start, p.Length))));
        Assert.Equal(expected, string.Join('|', pieces.Where(p => p.IsMatch).Select(p => text.Substring(p.Start, p.Length))));
    }

    [Theory]
    [InlineData(@"\p{Han}", "Han")]
    [InlineData("[a&&b]", "&&")]
    [InlineData("[[:alpha:]]", "POSIX")]
    [InlineData("(?<name>a)", "(?<n")]
    [InlineData(@"(a)\1", @"\1")]
    [InlineData("*a", "'*'")]
    [InlineData("(a", "'('")]
    [InlineData("a)", "')'")]
    [InlineData("[a", "ends too early")]
    [InlineData(@"a\", "ends too early")]
    [InlineData("😀", "U+FFFF")]
    [InlineData(@"[\W]", @"\W")]
    public void What_has_no_sure_translation_is_refused_by_name(string pattern, string fault) =>
        Assert.Contains(fault, Assert.Throws<FormatException>(() => new CodePointRegex(pattern)).Message, StringComparison.Ordinal);
}
