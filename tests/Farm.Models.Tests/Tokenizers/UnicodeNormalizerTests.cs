using System.Text;
using Farm.Models.Tokenizers.Unicode;

namespace Farm.Models.Tests.Tokenizers;

public class UnicodeNormalizerTests
{
    [Theory]
    [InlineData("\u1E0B\u0323", "\u1E0D\u0307", "d\u0323\u0307", "\u1E0D\u0307", "d\u0323\u0307")]
    [InlineData("\uAC01", "\uAC01", "\u1100\u1161\u11A8", "\uAC01", "\u1100\u1161\u11A8")]
    [InlineData("\u1100\u1161\u11A8", "\uAC01", "\u1100\u1161\u11A8", "\uAC01", "\u1100\u1161\u11A8")]
    [InlineData("\uFB01\u2460", "\uFB01\u2460", "\uFB01\u2460", "fi1", "fi1")]
    [InlineData("\u212B", "\u00C5", "A\u030A", "\u00C5", "A\u030A")]
    [InlineData("\u0958", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C")]
    [InlineData("\U0001D15E", "\U0001D157\U0001D165", "\U0001D157\U0001D165", "\U0001D157\U0001D165", "\U0001D157\U0001D165")]
    [InlineData("\U0001D4B3", "\U0001D4B3", "\U0001D4B3", "X", "X")]
    [InlineData("plain", "plain", "plain", "plain", "plain")]
    public void The_four_forms_are_those_of_UAX_15(string text, string nfc, string nfd, string nfkc, string nfkd)
    {
        Assert.Equal(nfc, UnicodeNormalizer.Normalize(text, NormalizationForm.FormC));
        Assert.Equal(nfd, UnicodeNormalizer.Normalize(text, NormalizationForm.FormD));
        Assert.Equal(nfkc, UnicodeNormalizer.Normalize(text, NormalizationForm.FormKC));
        Assert.Equal(nfkd, UnicodeNormalizer.Normalize(text, NormalizationForm.FormKD));
    }
}
